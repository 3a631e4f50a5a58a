import { catalogScopes } from '../../auth/authorizer.ts';
import { refuse } from '../../oci/errors.ts';
import { ociIndex } from '../../oci/media-types.ts';
import { isTag, parseRepositoryPath } from '../../oci/reference.ts';
import type { Referrer } from '../../ports/manifests.ts';
import { largestPage } from '../../registry/list.ts';
import { requireAccess, unauthorized } from '../access.ts';
import { answerJson, type Context, type Handler, type Headers } from '../context.ts';
import { requireDigest } from './blobs.ts';
import { absentPlace, unknownRepository } from './manifests.ts';

/** distribution-spec, "Listing Tags". */
export const listTags: Handler = async ({ res, request, session, path, services }) => {
  const { name, query } = request;
  const repository = await services.metadata.repositories.find(path);
  requireAccess(session, name, repository ?? (await absentPlace(services, path)), 'pull');
  if (!repository) throw unknownRepository();
  const n = pageSize(query);
  const last = query.get('last') ?? undefined;
  if (last !== undefined && last !== '' && !isTag(last)) {
    throw refuse('invalid', 'The parameter last must be a tag.');
  }
  const page = await services.listing.tags(repository.id, last, n);
  answerJson(
    res,
    200,
    { name, tags: page.items },
    page.more ? nextLink(`/v2/${name}/tags/list`, { n: String(n), last: page.items.at(-1)! }) : {},
  );
};

/** The catalog: what the caller may see, and no more. */
export async function listCatalog({ res, request, session, services }: Context): Promise<void> {
  const { identity, access, expired } = session;
  const scopes = catalogScopes(identity);
  const granted =
    access === undefined ||
    access.some((each) => each.type === 'registry' && each.name === 'catalog');
  if (expired || identity.kind === 'anonymous' || !granted) throw unauthorized();
  const n = pageSize(request.query);
  const after = request.query.get('last') ?? '';
  const last = parseRepositoryPath(after);
  if (after !== '' && !last) {
    throw refuse('invalid', 'The parameter last must be a repository name.');
  }
  const page = await services.listing.catalog(scopes, last, n);
  answerJson(
    res,
    200,
    { repositories: page.items },
    page.more ? nextLink('/v2/_catalog', { n: String(n), last: page.items.at(-1)! }) : {},
  );
}

/** distribution-spec, "Listing Referrers". */
export const listReferrers: Handler = async ({ res, request, session, path, services }) => {
  const { name, query, reference } = request;
  const subject = requireDigest(reference);
  const repository = await services.metadata.repositories.find(path);
  requireAccess(session, name, repository ?? (await absentPlace(services, path)), 'pull');
  const artifactType = query.get('artifactType') ?? undefined;
  const last = query.get('last') ?? undefined;
  if (last !== undefined) requireDigest(last);
  // A repository that nothing was pushed to yet has an empty list: 404 would say that the API is missing.
  const page = repository
    ? await services.listing.referrers(repository.id, subject, artifactType, last)
    : { items: [], more: false };
  const headers: Headers = { 'Content-Type': ociIndex };
  if (artifactType !== undefined) headers['OCI-Filters-Applied'] = 'artifactType';
  if (page.more) {
    const next = { last: page.items.at(-1)!.digest, ...(artifactType && { artifactType }) };
    Object.assign(headers, nextLink(`/v2/${name}/referrers/${subject}`, next));
  }
  answerJson(
    res,
    200,
    { schemaVersion: 2, mediaType: ociIndex, manifests: page.items.map(toDescriptor) },
    headers,
  );
};

function toDescriptor(referrer: Referrer) {
  return {
    mediaType: referrer.mediaType,
    digest: referrer.digest,
    size: referrer.size,
    ...(referrer.artifactType && { artifactType: referrer.artifactType }),
    ...(referrer.annotations && { annotations: referrer.annotations }),
  };
}

/** `n`, clamped to the largest page; refuses what is no whole number. */
function pageSize(query: URLSearchParams): number {
  const text = query.get('n');
  if (text === null || text === '') return largestPage;
  if (!/^\d{1,20}$/.test(text)) {
    throw refuse(
      'invalid',
      'The parameter n must be a whole number, 0 or more.',
      `At most ${largestPage} come in one page; the Link header leads to the next.`,
    );
  }
  return Math.min(Number(text), largestPage);
}

function nextLink(path: string, parameters: Record<string, string>): Headers {
  return { Link: `<${path}?${new URLSearchParams(parameters)}>; rel="next"` };
}
