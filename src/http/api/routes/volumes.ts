import { refuse } from '../../../oci/errors.ts';
import type { FunctionVolume } from '../../../ports/functions.ts';
import { volumeContext } from '../../../ports/volumes.ts';
import { newId } from '../../../projects/ids.ts';
import { type Call, created, noContent, ok, type Route } from '../route.ts';
import { runtimeOf } from '../runtime-services.ts';
import { list, nullable, object, oneOf, slug, text } from '../schema.ts';
import { changeService, serviceName } from './functions/services.ts';
import { serviceChange } from './functions/views.ts';
import { viewVolume as viewOf, volume, volumeDetails } from './volume-views.ts';

const newBucket = object(
  {
    endpoint: text(512, {
      pattern: '^https?://[^\\s@]+$',
      description: 'Of a store that speaks S3; AWS unless given.',
      examples: ['https://s3.example.com'],
    }),
    region: text(64, { pattern: '^[a-z0-9-]+$' }),
    bucket: text(63, { pattern: '^[a-z0-9][a-z0-9.-]+$' }),
    prefix: {
      type: 'string',
      maxLength: 512,
      pattern: '^$|^[^/\\u0000-\\u001f][^\\u0000-\\u001f]*/$',
      description: 'The part of the bucket that is mounted: nothing, or a path that ends in "/".',
    },
    accessKeyId: text(256, { pattern: '^[\\x21-\\x7e]+$' }),
    secretAccessKey: text(256, { pattern: '^[\\x21-\\x7e]+$' }),
  },
  { optional: ['endpoint', 'region', 'prefix'], title: 'NewVolumeBucket' },
);

const maxBytes = {
  type: 'integer',
  minimum: 2 ** 20,
  maximum: 2 ** 50,
  description:
    'Of a disk: over it, instances that mount it are ended, and none starts until there is room.',
} as const;

interface NewVolume {
  readonly maxBytes?: number;
  readonly name: string;
  readonly kind: 'disk' | 'bucket';
  readonly bucket?: {
    readonly endpoint?: string;
    readonly region?: string;
    readonly bucket: string;
    readonly prefix?: string;
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
  };
}

const path = '/teams/{team}/projects/{project}/volumes';
const access = { at: 'project', action: 'functions' } as const;
const tag = 'Volumes';

/** What lasts beyond an instance. The keys of buckets go in, sealed, and never come back. */
export const volumeRoutes: readonly Route[] = [
  {
    method: 'GET',
    path,
    operationId: 'listVolumes',
    tag,
    summary: "A project's volumes, by name.",
    access,
    replies: {
      200: {
        description: 'All of them: at most 100.',
        schema: object({ items: list(volume) }, { title: 'Volumes' }),
      },
    },
    async handle({ project, services }) {
      const volumes = await services.metadata.volumes.list(project.id);
      return ok({ items: volumes.map(viewOf) });
    },
  },
  {
    method: 'POST',
    path,
    operationId: 'createVolume',
    tag,
    summary: 'Creates a volume.',
    description:
      'A `disk` lies on the machine that runs the instances; a `bucket` is a prefix of an S3 bucket, mounted as files. Services mount volumes by their settings.',
    access,
    idempotent: true,
    body: object(
      { name: slug, kind: oneOf('disk', 'bucket'), bucket: newBucket, maxBytes },
      { optional: ['bucket', 'maxBytes'], title: 'NewVolume' },
    ),
    replies: { 201: { description: 'It is made.', schema: volume } },
    handle: createVolume,
  },
  {
    method: 'GET',
    path: `${path}/{volume}`,
    operationId: 'getVolume',
    tag,
    summary: 'A volume, and which services mount it.',
    access,
    params: { volume: slug },
    replies: { 200: { description: 'The volume.', schema: volumeDetails } },
    async handle(call) {
      const found = await volumeOf(call);
      const disk = found.kind === 'disk';
      const usedBytes = disk ? await call.services.runtime?.volumes.usage(found.id) : undefined;
      const attachments = await attachmentsOf(call, found.name);
      return ok({ ...viewOf(found), usedBytes: usedBytes ?? null, attachments });
    },
  },
  {
    method: 'PATCH',
    path: `${path}/{volume}`,
    operationId: 'updateVolume',
    tag,
    summary: 'Changes how much a disk may hold.',
    access,
    params: { volume: slug },
    body: object({ maxBytes: nullable(maxBytes) }, { title: 'VolumeChange' }),
    replies: { 200: { description: 'The volume as it is now.', schema: volume } },
    async handle({ services, project, params, body }) {
      const { maxBytes } = body as { maxBytes: number | null };
      const changed = await services.metadata.writer.run('UpdateVolume', {
        ...{ projectId: project.id, name: params.volume!, maxBytes: maxBytes ?? undefined },
      });
      services.runtime?.volumes.limited(changed.id, changed.maxBytes);
      return ok(viewOf(changed));
    },
  },
  {
    method: 'DELETE',
    path: `${path}/{volume}`,
    operationId: 'deleteVolume',
    tag,
    summary: 'Deletes a volume.',
    description:
      'With all that a `disk` holds; the objects of a `bucket` stay. Refused while a service or a live deployment mounts it.',
    access,
    params: { volume: slug },
    replies: { 204: { description: 'It is gone.' } },
    refusals: [409],
    async handle({ services, project, params }) {
      const { id } = await services.metadata.writer.run('DeleteVolume', {
        ...{ projectId: project.id, name: params.volume!, now: services.clock.now() },
      });
      // Without an engine now: the keeper finds it when there is one.
      void services.runtime?.volumes.removed(id);
      return noContent;
    },
  },
  {
    method: 'PUT',
    path: `${path}/{volume}/services/{service}`,
    operationId: 'attachVolume',
    tag,
    summary: 'Mounts a volume in a service.',
    description:
      "Changes the service's setting `volumes`, and deploys it anew where it runs. Once more with another path: it is mounted there instead.",
    access,
    params: { volume: slug, service: serviceName },
    body: object(
      {
        path: text(4096, { pattern: '^/[^\\u0000]+$', description: 'In the container.' }),
        readOnly: { type: 'boolean' },
      },
      { optional: ['readOnly'], title: 'NewVolumeAttachment' },
    ),
    replies: { 200: { description: 'The service as it is now.', schema: serviceChange } },
    refusals: [409],
    async handle(call) {
      const { name } = await volumeOf(call);
      const { path, readOnly } = call.body as { path: string; readOnly?: boolean };
      const attached = { name, path, ...(readOnly !== undefined && { readOnly }) };
      return changeService(call, ({ volumes = [] }) => ({
        volumes: [...volumes.filter((volume) => volume.name !== name), attached],
      }));
    },
  },
  {
    method: 'DELETE',
    path: `${path}/{volume}/services/{service}`,
    operationId: 'detachVolume',
    tag,
    summary: 'Mounts a volume in a service no more.',
    access,
    params: { volume: slug, service: serviceName },
    replies: { 200: { description: 'The service as it is now.', schema: serviceChange } },
    refusals: [409],
    async handle(call) {
      const { name } = await volumeOf(call);
      return changeService(call, ({ volumes = [] }) => ({
        volumes: volumes.filter((volume) => volume.name !== name),
      }));
    },
  },
];

async function createVolume({ services, team, project, identity, body }: Call) {
  const { name, kind, bucket, maxBytes } = body as NewVolume;
  if (maxBytes !== undefined && kind !== 'disk') {
    throw refuse('invalid', 'The field "maxBytes" is for volumes of kind "disk" alone.');
  }
  if ((kind === 'bucket') !== (bucket !== undefined)) {
    throw refuse(
      'invalid',
      kind === 'bucket'
        ? 'A volume of kind "bucket" needs the field "bucket".'
        : 'The field "bucket" is for volumes of kind "bucket" alone.',
    );
  }
  // The machine that runs instances connects to it.
  if (bucket?.endpoint !== undefined) runtimeOf(services).checkEndpoint(bucket.endpoint);
  const id = newId('vol');
  const made: FunctionVolume = {
    ...{ id, projectId: project.id, name, kind },
    bucket: bucket && {
      endpoint: bucket.endpoint,
      region: bucket.region,
      bucket: bucket.bucket,
      prefix: bucket.prefix ?? '',
      sealedKeys: services.sealer.seal(
        JSON.stringify({
          accessKeyId: bucket.accessKeyId,
          secretAccessKey: bucket.secretAccessKey,
        }),
        volumeContext(id),
      ),
    },
    ...{ maxBytes, createdAt: services.clock.now(), createdBy: identity.actor },
  };
  await services.metadata.writer.run('CreateVolume', made);
  return created(viewOf(made), `/teams/${team.slug}/projects/${project.slug}/volumes/${name}`);
}

async function volumeOf({ services, project, params }: Call): Promise<FunctionVolume> {
  const found = await services.metadata.volumes.find(project.id, params.volume!);
  if (found) return found;
  throw refuse('not-found', 'The project has no such volume.');
}

/** By the settings of services, and by what environments run. */
async function attachmentsOf({ services, project }: Call, name: string) {
  const { services: store, deployments } = services.metadata;
  const attachments = new Map<
    string,
    { service: string; path: string; readOnly: boolean; deployments: string[] }
  >();
  const add = (service: string, path: string, readOnly: boolean | undefined) => {
    const key = `${service} ${path} ${readOnly ?? false}`;
    const known = attachments.get(key);
    const one = known ?? { service, path, readOnly: readOnly ?? false, deployments: [] };
    attachments.set(key, one);
    return one;
  };
  for (const service of await store.list(project.id)) {
    for (const volume of service.settings.volumes ?? []) {
      if (volume.name === name) add(service.name, volume.path, volume.readOnly);
    }
  }
  for (const { deploymentId } of await deployments.pointers(project.id)) {
    if (deploymentId === undefined) continue;
    const deployment = await deployments.findById(deploymentId);
    for (const service of deployment?.snapshot?.services ?? []) {
      for (const volume of service.settings.volumes ?? []) {
        if (volume.name !== name) continue;
        add(service.name, volume.path, volume.readOnly).deployments.push(deploymentId);
      }
    }
  }
  return [...attachments.values()];
}
