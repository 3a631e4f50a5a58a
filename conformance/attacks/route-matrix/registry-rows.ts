import { routes } from '../../../src/http/registry-handler.ts';
import { image } from '../../spec/bundles.ts';
import type { Registry } from '../../spec/client.ts';
import { content, mediaTypes, uniqueBytes } from '../../spec/content.ts';
import { beginUpload, octets, pushBlob, pushBundle, putManifest } from '../../spec/push.ts';
import { type CallerName, groups, type Level } from './callers.ts';
import { unique } from './row.ts';
import type { Place } from './world.ts';

export interface RegistrySample {
  /** Below `/v2/<name>/`, or from the root. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** One method of a route under /v2/: who may, and a request that succeeds for them. */
export interface RegistryRow {
  readonly at: Extract<Level, 'signed-in' | 'repository'>;
  readonly may: readonly CallerName[];
  /** Of them. */
  readonly answers: number;
  /** Who is told that it is not there, though they may act at the place: it is another caller's. */
  readonly blind?: readonly CallerName[];
  /** `make` is signed in as an owner of the place's team. */
  readonly sample: (place: Place, make: Registry) => Promise<RegistrySample> | RegistrySample;
}

/** What the table of the handler has, and the two routes without a name. */
export const registryOperations: readonly string[] = [
  ...Object.entries(routes).flatMap(([route, methods]) =>
    Object.keys(methods).map((method) => `${route} ${method}`),
  ),
  ...['base GET', 'base HEAD', 'catalog GET'],
];

const pull = (answers: number, sample: RegistryRow['sample']): RegistryRow => ({
  ...{ at: 'repository', may: groups.pull, answers, sample },
});
const of = (may: readonly CallerName[], answers: number, sample: RegistryRow['sample']) => ({
  ...{ at: 'repository' as const, may, answers, sample },
});
/** A5 */
function ofSession(answers: number, sample: RegistryRow['sample']): RegistryRow {
  const blind = groups.create.filter((caller) => caller !== 'owner');
  return { at: 'repository', may: ['owner'], blind, answers, sample };
}
const repositoryOf = (place: Place): string => `/v2/${place.name}/`;

/** A session that a caller other than its owner may not use; the last part of its URL. */
async function session(place: Place, make: Registry): Promise<string> {
  const location = await beginUpload(make, place.name);
  return location.slice(location.indexOf('/v2/'));
}

const base: RegistrySample = { target: '/v2/' };

export const registryRows: Readonly<Record<string, RegistryRow>> = {
  'base GET': { at: 'signed-in', may: groups.signedIn, answers: 200, sample: () => base },
  'base HEAD': { at: 'signed-in', may: groups.signedIn, answers: 200, sample: () => base },
  'catalog GET': {
    ...{ at: 'signed-in', may: groups.signedIn, answers: 200 },
    sample: () => ({ target: '/v2/_catalog' }),
  },
  'manifest GET': pull(200, (place) => ({ target: `${repositoryOf(place)}manifests/latest` })),
  'manifest HEAD': pull(200, (place) => ({
    target: `${repositoryOf(place)}manifests/${place.digest}`,
  })),
  'manifest PUT': of(groups.create, 201, async (place, make) => {
    const bundle = image();
    for (const blob of bundle.blobs) await pushBlob(make, place.name, blob);
    return {
      target: `${repositoryOf(place)}manifests/${unique('new')}`,
      headers: { 'content-type': mediaTypes.manifest },
      body: bundle.top.bytes,
    };
  }),
  'manifest DELETE': of(groups.manage, 202, async (place, make) => {
    const bundle = image();
    await pushBundle(make, place.name, bundle);
    return { target: `${repositoryOf(place)}manifests/${bundle.top.digest}` };
  }),
  'blob GET': pull(200, (place) => ({ target: `${repositoryOf(place)}blobs/${place.layer}` })),
  'blob HEAD': pull(200, (place) => ({ target: `${repositoryOf(place)}blobs/${place.layer}` })),
  'blob DELETE': of(groups.manage, 202, async (place, make) => {
    const blob = content(uniqueBytes());
    await pushBlob(make, place.name, blob);
    return { target: `${repositoryOf(place)}blobs/${blob.digest}` };
  }),
  'uploads POST': of(groups.create, 202, (place) => ({
    target: `${repositoryOf(place)}blobs/uploads/`,
  })),
  'tags GET': pull(200, (place) => ({ target: `${repositoryOf(place)}tags/list` })),
  'referrers GET': pull(200, (place) => ({
    target: `${repositoryOf(place)}referrers/${place.digest}`,
  })),
  'upload GET': ofSession(204, async (place, make) => ({ target: await session(place, make) })),
  'upload PATCH': ofSession(202, async (place, make) => ({
    ...{ target: await session(place, make), headers: octets, body: uniqueBytes() },
  })),
  'upload PUT': ofSession(201, async (place, make) => {
    const blob = content(uniqueBytes());
    const target = await session(place, make);
    const mark = target.includes('?') ? '&' : '?';
    return { target: `${target}${mark}digest=${blob.digest}`, headers: octets, body: blob.bytes };
  }),
  'upload DELETE': ofSession(204, async (place, make) => ({
    target: await session(place, make),
  })),
};

/** A46: what may be created may not be overwritten; the tag `latest` is there. */
export async function overwrite(place: Place, make: Registry): Promise<RegistrySample> {
  const bundle = image();
  for (const blob of bundle.blobs) await pushBlob(make, place.name, blob);
  await putManifest(make, place.name, bundle.top.digest, bundle.top);
  return {
    target: `${repositoryOf(place)}manifests/latest`,
    headers: { 'content-type': mediaTypes.manifest },
    body: bundle.top.bytes,
  };
}
