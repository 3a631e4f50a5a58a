import { catalogScopes, mayAct } from '../../auth/authorizer.ts';
import { countLimits, type Plan } from '../../config/plans.ts';
import {
  algorithmOf,
  type Digest,
  type DigestAlgorithm,
  digestAlgorithms,
  isDigestAlgorithm,
} from '../../oci/digest.ts';
import { RegistryError, refuse } from '../../oci/errors.ts';
import { type ByteRange, parseContentRange } from '../../oci/range.ts';
import { parseRepositoryPath } from '../../oci/reference.ts';
import { layerTooLarge } from '../../policy/layer-size.ts';
import type { UploadRow } from '../../ports/uploads.ts';
import type { ChunkOptions } from '../../registry/chunk-options.ts';
import type { MountTarget } from '../../registry/mount-blob.ts';
import { checkRange, unknownUpload } from '../../registry/upload-refusals.ts';
import { isGranted, requireAccess, unauthorized } from '../access.ts';
import { acceptBody, contentLength, hasBody, withProgress } from '../body.ts';
import { answer, type Context, type Handler, type Headers } from '../context.ts';
import { requireDigest } from './blobs.ts';
import { isFull, type PushTarget, pushTarget, storageFull } from './push-target.ts';

type NamedContext = Context & { path: NonNullable<Context['path']> };

/** distribution-spec, "Pushing blobs": starts a session, takes a whole blob, or mounts one. */
export const postUpload: Handler = async (context) => {
  const { request, session, services, req } = context;
  const { query } = request;
  const mounted = query.get('mount');
  const mount = mounted === null ? undefined : requireDigest(mounted);
  const single = query.get('digest');
  const whole = single === null ? undefined : requireDigest(single);
  const algorithm = requestedAlgorithm(query.get('digest-algorithm'), whole);
  const target = await pushTarget(context);
  if (whole) refuseLargeBody(req, target.plan);
  const repository = await target.ensure();
  const into = { id: repository.id, limits: countLimits(target.plan) };
  if (mount && (await mountBlob(context, into, mount, query.get('from')))) return;
  if (await isFull(services, repository.teamId, target.plan)) throw storageFull(target.plan);
  const subject = session.identity.id;
  const row = await services.blobPush.start(repository.id, subject, algorithm);
  if (whole) {
    await takeLast(context, row, target, whole).catch(async (error: unknown) => {
      // The client never heard of the session, so nobody can go on with it.
      await services.blobPush.cancel(row).catch(() => {});
      throw error;
    });
  } else {
    const { minChunk } = services.blobPush;
    answerOffset(context, row.id, 0, 202, minChunk > 0 ? { 'OCI-Chunk-Min-Length': minChunk } : {});
  }
};

/** distribution-spec, "Pushing a blob in chunks". */
export const patchUpload: Handler = async (context) => {
  const { req, services } = context;
  const { row, target } = await findUpload(context);
  const options = chunkOptions(context, target.plan);
  refuseLargeBody(req, target.plan, row.offset);
  checkRange(options.range, row.offset);
  acceptBody(context);
  const offset = await withProgress(req, services.settings.bodyTimeoutMs, () =>
    services.blobPush.append(row, req, options),
  );
  services.metrics.bytesIn.inc(offset - row.offset);
  services.transfer.pushed(target.project.id, offset - row.offset);
  answerOffset(context, row.id, offset, 202);
};

/** Closes a session, with the last bytes or without. */
export const putUpload: Handler = async (context) => {
  const digest = requireDigest(context.request.query.get('digest'));
  const { row, target } = await findUpload(context);
  refuseLargeBody(context.req, target.plan, row.offset);
  await takeLast(context, row, target, digest);
};

export const getUpload: Handler = async (context) => {
  const { row } = await findUpload(context);
  answerOffset(context, row.id, row.offset, 204);
};

/** distribution-spec, "Cancel a blob upload". */
export const deleteUpload: Handler = async (context) => {
  const { row } = await findUpload(context);
  await context.services.blobPush.cancel(row);
  answer(context.res, 204, {});
};

async function takeLast(
  context: NamedContext,
  row: UploadRow,
  target: PushTarget,
  digest: Digest,
): Promise<void> {
  const { req, res, request, services } = context;
  const source = hasBody(req) ? req : undefined;
  const options = chunkOptions(context, target.plan);
  // Before the client is told to send.
  checkRange(options.range, row.offset);
  if (source) acceptBody(context);
  const { size } = await withProgress(req, services.settings.bodyTimeoutMs, () =>
    services.blobPush.finish(row, digest, source, options),
  );
  services.metrics.bytesIn.inc(size - row.offset);
  services.transfer.pushed(target.project.id, size - row.offset);
  answerBlob(res, services, request.name, digest);
}

/** True: the blob is linked, and the answer is sent. False: the client must send the bytes. */
async function mountBlob(
  context: NamedContext,
  target: MountTarget,
  digest: Digest,
  from: string | null,
): Promise<boolean> {
  const { res, request, session, services } = context;
  const { blobMount, metrics } = services;
  let blob: unknown;
  if (from === null) {
    blob = await blobMount.fromAny(catalogScopes(session.identity), target, digest);
  } else {
    const path = parseRepositoryPath(from);
    const source = path && (await services.metadata.repositories.find(path));
    // A source that may not be read is answered as one that is not there: 202, send the bytes.
    if (source && mayAct(session.identity, source, 'pull')) {
      if (source.visibility !== 'public' && !isGranted(session, from, 'pull')) throw unauthorized();
      blob = await blobMount.from(source, target, digest);
    }
  }
  metrics.mounts.inc({ result: blob ? 'mounted' : 'refused' });
  if (blob) answerBlob(res, services, request.name, digest);
  return blob !== undefined;
}

/**
 * The session that the URL names. The URL's signature and the session's own subject are asked, so a
 * push outlives the token that began it, but not what that token stood for.
 */
async function findUpload(context: NamedContext): Promise<{ row: UploadRow; target: PushTarget }> {
  const { request, session, services } = context;
  const { name, reference, query } = request;
  const resumed = { ...context, session: { ...session, expired: false } };
  if (session.expired && session.access?.every((access) => access.name !== name)) {
    requireAccess(session, name, undefined, 'push');
  }
  const target = await pushTarget(resumed);
  const { repository } = target;
  const signed = services.uploadUrls.verify(name, reference, query.get('_state'));
  if (!repository || !signed) throw unknownUpload();
  const row = await services.blobPush.find(reference, repository.id, session.identity.id);
  return { row, target };
}

function requestedAlgorithm(asked: string | null, whole: Digest | undefined): DigestAlgorithm {
  if (whole) return algorithmOf(whole);
  if (asked === null) return 'sha256';
  if (isDigestAlgorithm(asked)) return asked;
  throw refuse(
    'digest-invalid',
    'The digest-algorithm is not supported.',
    `Use one of: ${digestAlgorithms.join(', ')}.`,
  );
}

function chunkOptions({ req }: Context, plan: Plan): ChunkOptions {
  return {
    range: contentRange(req.headers['content-range'], contentLength(req)),
    limit: plan.layer,
    limits: countLimits(plan),
    tooLarge: () => new RegistryError(layerTooLarge(plan)),
  };
}

function contentRange(
  header: string | string[] | undefined,
  length: number | undefined,
): ByteRange | undefined {
  if (header === undefined) return undefined;
  const range = parseContentRange(String(header));
  if (!range) {
    throw refuse(
      'range-invalid',
      'The Content-Range header is malformed.',
      'Send <first byte>-<last byte>, both inclusive, such as 0-1048575.',
    );
  }
  if (length !== undefined && length !== range.end - range.start + 1) {
    throw refuse(
      'size-invalid',
      `Content-Range names ${range.end - range.start + 1} bytes, and Content-Length ${length}.`,
    );
  }
  return range;
}

/** Before any byte is read: a layer that its length already condemns. */
function refuseLargeBody(req: Context['req'], plan: Plan, offset = 0): void {
  const length = contentLength(req) ?? 0;
  if (offset + length > plan.layer) throw new RegistryError(layerTooLarge(plan, offset + length));
}

function answerOffset(
  { res, request, services }: Context,
  id: string,
  offset: number,
  status: number,
  extra: Headers = {},
): void {
  answer(res, status, {
    Location: `${services.origins.publicUrl ?? ''}${services.uploadUrls.sign(request.name, id)}`,
    // An empty upload has no last byte; clients know this form of it.
    Range: `0-${Math.max(0, offset - 1)}`,
    'Docker-Upload-UUID': id,
    ...extra,
  });
}

function answerBlob(
  res: Context['res'],
  services: Context['services'],
  name: string,
  digest: Digest,
): void {
  answer(res, 201, {
    Location: `${services.origins.publicUrl ?? ''}/v2/${name}/blobs/${digest}`,
    'Docker-Content-Digest': digest,
  });
}
