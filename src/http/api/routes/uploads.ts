import { mayAct } from '../../../auth/authorizer.ts';
import { RegistryError, refuse } from '../../../oci/errors.ts';
import type { LayerCompression } from '../../../oci/media-types.ts';
import { formatRepositoryPath } from '../../../oci/reference.ts';
import { checkRepositoryName } from '../../../policy/naming.ts';
import type { ImportTarget } from '../../../registry/archives/import-types.ts';
import { archiveTooLarge } from '../../../registry/archives/receive-archive.ts';
import { acceptBody, contentLength, withProgress } from '../../body.ts';
import type { Call, Reply, Route } from '../route.ts';
import { digest, list, object, oneOf, text } from '../schema.ts';
import { ProgressStream } from '../uploads/answer.ts';
import { readForm } from '../uploads/form.ts';
import { validate } from '../validate.ts';

/** What a form is larger than the file in it: boundaries, headers, a hundred tags. */
const formOverhead = 2 ** 20;

const tag = text(128, { format: 'tag', examples: ['v1'] });
const compressions: readonly LayerCompression[] = ['zstd', 'gzip', 'none'];
const fields = {
  tag: list(tag, {
    maxItems: 100,
    description:
      'The tags that the image gets; the field may come several times. Without it: those that the archive itself gives the image.',
  }),
  name: text(512, {
    description:
      'Which image, where the archive holds several: as docker save named it, or the tag alone.',
    examples: ['shop/web:v1'],
  }),
  compression: {
    ...oneOf(...compressions),
    description:
      'How layers are stored that docker save wrote uncompressed. Without it: gzip, or what the project accepts. zstd is faster, but engines before Docker 23 do not read it. Layers that come compressed stay as they are.',
  },
};
const optional = ['tag', 'name', 'compression'];
/** Of the fields alone: texts come one or many. */
const fieldsSchema = object(fields, { optional });

const form = object(
  {
    image: {
      type: 'string',
      format: 'binary',
      description:
        'The archive: a tar of docker save or of an OCI layout, plain or compressed with gzip or zstd.',
    },
    ...fields,
  },
  { optional },
);

const upload = object(
  {
    repository: { type: 'string', description: 'team/project/repository' },
    digest,
    mediaType: { type: 'string' },
    tags: list({ type: 'string' }),
    manifests: list(digest, {
      description: 'All that was stored: of an index, its children, too.',
    }),
    layers: list(
      object(
        { digest, mediaType: { type: 'string' }, size: { type: 'integer' } },
        { title: 'UploadedLayer' },
      ),
    ),
    warnings: list({ type: 'string' }),
  },
  { title: 'UploadedImage' },
);

export const uploadRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/teams/{team}/projects/{project}/repositories/{repository}/uploads',
    operationId: 'uploadImage',
    tag: 'Repositories',
    summary: 'Stores the image in an archive of docker save, or of an OCI layout.',
    description:
      'A form as browsers and curl send it: `curl -F image=@image.tar -F tag=v1 …`. The repository is made where it is missing. Either all of the image is stored, or no manifest and no tag of it.\n\nWith `Accept: text/event-stream` the answer is 200 and begins with the file; its events are `received` {bytes, total}, `layer` {index, count, bytes, size}, and at the end `done` (as the JSON of 201) or `error` {status, code, message, hint}.',
    access: { at: 'project', action: 'create' },
    rawBody: { mediaType: 'multipart/form-data', schema: form },
    replies: {
      200: {
        description: 'Where events are accepted: how far it has come, and how it ended.',
        schema: { type: 'string' },
        mediaType: 'text/event-stream',
      },
      201: { description: 'The image is stored.', schema: upload },
    },
    refusals: [507],
    handle: uploadImage,
  },
];

async function uploadImage(call: Call): Promise<Reply | undefined> {
  const { req, res } = call;
  const stream = ProgressStream.of(req, res);
  try {
    const body = await take(call, stream);
    if (!stream) {
      const { repository, digest: stored } = body;
      return { status: 201, body, headers: { Location: `/v2/${repository}/manifests/${stored}` } };
    }
    stream.begin();
    await stream.done(body);
    return undefined;
  } catch (error) {
    if (stream?.begun) await stream.failed(error);
    throw error;
  }
}

async function take(call: Call, stream: ProgressStream | undefined) {
  const { req, res, services } = call;
  if (!/^multipart\/form-data\s*;/i.test(req.headers['content-type'] ?? '')) {
    throw refuse(
      'unsupported-media-type',
      'The body must be a form: multipart/form-data.',
      'Send it as: curl -F image=@image.tar -F tag=v1 URL',
    );
  }
  const target = await targetOf(call);
  const { plan } = target;
  const total = contentLength(req);
  const tooLarge = () => archiveTooLarge(plan);
  if ((total ?? 0) > plan.image + formOverhead) throw tooLarge();
  const intake = await services.imageIntake.begin(Math.min(total ?? 0, plan.image), plan);
  const gone = new AbortController();
  const closed = () => gone.abort(refuse('invalid', 'The client closed the connection.'));
  res.once('close', closed);
  try {
    acceptBody({ req, res });
    const { taken: archive, fields: given } = await withProgress(
      req,
      services.settings.bodyTimeoutMs,
      () =>
        readForm(
          req,
          res,
          { file: 'image', limit: plan.image + formOverhead, tooLarge },
          (file, early) => {
            optionsOf(early);
            stream?.begin();
            let bytes = 0;
            return intake.receive(file as AsyncIterable<Buffer>, plan, (more) => {
              bytes += more;
              services.metrics.bytesIn.inc(more);
              services.transfer.pushed(target.project.id, more);
              stream?.tell('received', { bytes, total: total ?? null });
            });
          },
        ),
    );
    const image = await services.imageIntake.import(archive, target, {
      ...optionsOf(given),
      progress: (step) => stream?.tell('layer', step, step.bytes === step.size),
      signal: gone.signal,
    });
    return {
      repository: formatRepositoryPath(pathOf(call)),
      digest: image.digest,
      mediaType: image.mediaType,
      tags: image.tags,
      manifests: image.manifests,
      layers: image.layers.map(({ digest: layer, mediaType, size }) => ({
        ...{ digest: layer, mediaType, size },
      })),
      warnings: image.warnings,
    };
  } finally {
    res.off('close', closed);
    await intake.close();
  }
}

/** The same as for a push: who may do what there, and a repository that is made at the last moment. */
async function targetOf(call: Call): Promise<ImportTarget> {
  const { services, identity, project } = call;
  const path = pathOf(call);
  const name = checkRepositoryName(formatRepositoryPath(path));
  if (!name.allow) throw new RegistryError(name.error);
  const repository = await services.metadata.repositories.find(path);
  const plan = services.plans[project.plan];
  const { teamId, id: projectId } = project;
  const visibility = repository?.visibility ?? 'private';
  const { actor, id: subject } = identity;
  return {
    ...{ repository, project, plan, actor, subject },
    overwrite: mayAct(identity, { teamId, projectId, visibility }, 'push'),
    mayDeploy: mayAct(identity, { teamId, projectId, visibility }, 'deploy'),
    ensure: async () =>
      repository ?? services.ensureRepository(project, path.repository, plan, actor),
  };
}

function pathOf({ team, project, params }: Call) {
  return { team: team.slug, project: project.slug, repository: params.repository ?? '' };
}

/** The form's texts. Throws `invalid`. */
function optionsOf(given: Record<string, unknown>) {
  const one = given.tag;
  const body = one === undefined || Array.isArray(one) ? given : { ...given, tag: [one] };
  validate(fieldsSchema, body, 'body');
  const {
    tag: tags = [],
    name,
    compression,
  } = body as {
    tag?: string[];
    name?: string;
    compression?: LayerCompression;
  };
  return { tags: [...new Set(tags)], name, compression };
}
