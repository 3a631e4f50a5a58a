/**
 * GitHub's two forms of the default `sub` (docs.github.com, "Immutable subject claims"):
 *
 *     repo:octo-org/octo-repo:ref:refs/heads/main                 names only
 *     repo:octo-org@123456/octo-repo@456789:ref:refs/heads/main   names and ids, for newer repositories
 *
 * A policy in either form goes on working when a repository changes over. From the form with ids the
 * other is made by leaving them out; from the form without, by adding the ids of the same token's
 * repository_owner_id and repository_id. A pattern's ids are never dropped: who wrote them, meant them.
 */
const defaultSubject = /^repo:([^/:@]+)(?:@(\d+))?\/([^/:@]+)(?:@(\d+))?(?=:|$)/;

/** The token's `sub` and what else it may be compared as; nothing where it is not a text. */
export function subjectTexts(claims: Readonly<Record<string, unknown>>): string[] {
  const subject = claims.sub;
  if (typeof subject !== 'string') return [];
  const match = defaultSubject.exec(subject);
  if (!match) return [subject];
  const [prefix, owner, ownerId, name, repositoryId] = match;
  const { repository, repository_owner_id: ownerClaim, repository_id: repositoryClaim } = claims;
  // Only where all claims agree is this GitHub's form and not another issuer's likeness of it.
  const isGitHub =
    repository === `${owner}/${name}` &&
    isId(ownerClaim) &&
    isId(repositoryClaim) &&
    (ownerId ?? ownerClaim) === ownerClaim &&
    (repositoryId ?? repositoryClaim) === repositoryClaim;
  if (!isGitHub) return [subject];
  const rest = subject.slice(prefix.length);
  const named = `repo:${owner}/${name}${rest}`;
  const identified = `repo:${owner}@${ownerClaim}/${name}@${repositoryClaim}${rest}`;
  return [...new Set([subject, named, identified])];
}

function isId(claim: unknown): claim is string {
  return typeof claim === 'string' && /^\d+$/.test(claim);
}
