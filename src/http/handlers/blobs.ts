import { mayAct } from '../../auth/authorizer.ts';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import { type RegistryError, refuse } from '../../oci/errors.ts';
import { parseRange } from '../../oci/range.ts';
import type { Repository } from '../../ports/repositories.ts';
import { requireAccess, requirePull } from '../access.ts';
import { answer, type Context, type Handler, sendHead } from '../context.ts';
import { sendStream } from '../send-stream.ts';
import { absentPlace, unknownRepository } from './manifests.ts';

/** distribution-spec, "Pulling blobs" and "Checking if content exists". */
export const getBlob: Handler = async (context) => {
  const { req, res, request, session, path, services } = context;
  const digest = requireDigest(request.reference);
  const resolved = await services.pull.resolveBlob(path, digest);
  const repository = resolved?.repository;
  const place = repository ?? (await absentPlace(services, path));
  if (session.identity.kind === 'pull') {
    await requirePull(session, request.name, place, digest, services.pull);
  } else requireAccess(session, request.name, place, 'pull');
  const blob = resolved?.blob;
  if (!repository) throw unknownRepository();
  if (!blob) throw resolved.quarantinedAt === undefined ? unknownBlob(digest) : damagedBlob(digest);
  const etag = `"${digest}"`;
  const headers = [
    'Content-Type',
    'application/octet-stream',
    'Docker-Content-Digest',
    digest,
    'ETag',
    etag,
    'Accept-Ranges',
    'bytes',
    'Cache-Control',
    'private, max-age=31536000, immutable',
    'X-Content-Type-Options',
    'nosniff',
  ];
  if (req.headers['if-none-match'] === etag) {
    sendHead(res, 304, headers).end();
    return;
  }
  if (req.method === 'HEAD') {
    await keepForPusher(context, repository, digest, resolved.leasedUntil);
    headers.push('Content-Length', String(blob.size));
    sendHead(res, 200, headers).end();
    return;
  }
  const link = await services.pull.linkBlob(blob);
  if (link) {
    services.transfer.pulled(repository, blob.size);
    services.metrics.bytesOut.inc({ how: 'redirect' }, blob.size);
    answer(res, 307, {
      Location: link.href,
      'Docker-Content-Digest': digest,
      'Cache-Control': 'no-store',
    });
    return;
  }
  const asked = req.headers.range;
  const ifRange = req.headers['if-range'];
  const range =
    asked === undefined || (ifRange !== undefined && ifRange !== etag)
      ? 'ignore'
      : parseRange(asked, blob.size);
  if (range === 'unsatisfiable') {
    res.setHeader('Content-Range', `bytes */${blob.size}`);
    throw refuse('range-not-satisfiable', `The blob has ${blob.size} bytes: the range is outside.`);
  }
  const length = range === 'ignore' ? blob.size : range.end - range.start + 1;
  services.transfer.pulled(repository, length);
  const stream = await services.pull.openBlob(
    repository,
    blob,
    range === 'ignore' ? undefined : range,
  );
  services.metrics.bytesOut.inc({ how: 'proxy' }, length);
  headers.push('Content-Length', String(length));
  if (range !== 'ignore') {
    headers.push('Content-Range', `bytes ${range.start}-${range.end}/${blob.size}`);
  }
  sendHead(res, range === 'ignore' ? 200 : 206, headers);
  // A client that goes away, or a store that fails in the middle, ends both: the length tells the client.
  await sendStream(stream, res).catch((error: unknown) => {
    services.logger.debug('blob transfer ended early', { digest, cause: String(error) });
    res.destroy();
  });
};

/**
 * Who may push and is told that a blob is there will not send it: it is kept for the manifest that is to come.
 * Rejects with `blob-unknown` where it went meanwhile.
 */
async function keepForPusher(
  { session, services }: Context,
  repository: Repository,
  digest: Digest,
  leasedUntil: number,
): Promise<void> {
  const { identity } = session;
  const now = services.clock.now();
  const { leaseMs } = services.settings;
  if (leasedUntil - now > leaseMs / 2) return;
  if (!mayAct(identity, repository, 'push') && !mayAct(identity, repository, 'create')) return;
  const link = { repositoryId: repository.id, digest, now, leaseMs };
  const { renewed } = await services.metadata.writer.run('RenewLease', link);
  if (renewed) return;
  if (!(await services.metadata.blobs.find(repository.id, digest))) throw unknownBlob(digest);
}

/** distribution-spec, "Deleting Blobs": the repository's link goes; the bytes go when nothing links them. */
export const deleteBlob: Handler = async ({ res, request, session, path, services }) => {
  const digest = requireDigest(request.reference);
  const repository = await services.metadata.repositories.find(path);
  requireAccess(session, request.name, repository ?? (await absentPlace(services, path)), 'delete');
  if (!repository) throw unknownRepository();
  await services.metadata.writer.run('UnlinkBlob', { repositoryId: repository.id, digest });
  answer(res, 202, {});
};

export function requireDigest(text: string | null): Digest {
  const digest = parseDigest(text ?? '');
  if (digest) return digest;
  throw refuse(
    'digest-invalid',
    'The digest is missing, malformed, or of an algorithm that is not supported.',
    'Use sha256:<64 hex digits> or sha512:<128 hex digits>.',
  );
}

function unknownBlob(digest: Digest): RegistryError {
  return refuse('blob-unknown', 'The repository holds no such blob.', undefined, { digest });
}

/** Clients that push ask by HEAD first, and send the bytes again where that says that they are not there. */
function damagedBlob(digest: Digest): RegistryError {
  return refuse(
    'blob-unknown',
    'The stored bytes of this blob are damaged, so the registry does not give them out.',
    'Push an image with this layer again, from where it was built or pulled to: that repairs it everywhere.',
    { digest, quarantined: true },
  );
}
