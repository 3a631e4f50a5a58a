import { refuse } from '../oci/errors.ts';

interface SharedIssuer {
  readonly name: string;
  readonly issuer: RegExp;
  /**
   * Claims that tell one customer from all others, and how much of a pattern must be given for that.
   * (GitHub's job_workflow_ref is none: strangers may call a public reusable workflow.)
   */
  readonly telling: Readonly<Record<string, RegExp>>;
  readonly example: string;
}

const exactly = /^[^*]+$/;
const ownerAndMore = /^[^*/:]+\/./;

/** Issuers that sign for anybody who asks: without one of these claims a policy would trust the world. */
const sharedIssuers: readonly SharedIssuer[] = [
  {
    name: 'GitHub',
    issuer: /^https:\/\/token\.actions\.githubusercontent\.com\/?$/,
    telling: {
      repository_id: exactly,
      repository_owner_id: exactly,
      repository_owner: exactly,
      repository: ownerAndMore,
      sub: /^(repo:[^*/:]+\/.|(repository_id|repository_owner_id|repository_owner):[^*:]+(:|$)|repository:[^*/:]+\/.)/,
      enterprise_id: exactly,
      enterprise: exactly,
    },
    example: 'repository_id=123456',
  },
  {
    name: 'gitlab.com',
    issuer: /^https:\/\/gitlab\.com\/?$/,
    telling: {
      project_id: exactly,
      namespace_id: exactly,
      namespace_path: /^([^*]+$|[^*/:]+\/.)/,
      project_path: ownerAndMore,
      sub: /^project_path:[^*/:]+\/./,
    },
    example: 'project_id=123456',
  },
  {
    name: 'Vercel (global issuer mode)',
    issuer: /^https:\/\/oidc\.vercel\.com\/?$/,
    telling: {
      owner_id: exactly,
      owner: exactly,
      project_id: exactly,
      sub: /^owner:[^*:]+(:|$)/,
    },
    example: 'owner_id=team_abc',
  },
];

const ownIssuer: Omit<SharedIssuer, 'issuer'> = {
  name: 'This registry itself',
  telling: {
    project_id: exactly,
    team_id: exactly,
    team: exactly,
    sub: /^team:[^*:]+:/,
  },
  example: 'project_id=prj_…',
};

/**
 * For every policy that is made, by preset or by hand.
 * @throws RegistryError `invalid` where the claims leave open whose tokens of a shared issuer are meant
 */
export function checkSharedIssuer(
  issuer: string,
  claims: Readonly<Record<string, readonly string[]>>,
): void {
  const shared = sharedIssuers.find((candidate) => candidate.issuer.test(issuer));
  if (shared) checkTelling(shared, claims);
}

/** For policies on this installation's own tokens: every team here has some. Throws as `checkSharedIssuer`. */
export function checkOwnIssuer(claims: Readonly<Record<string, readonly string[]>>): void {
  checkTelling(ownIssuer, claims);
}

function checkTelling(
  shared: Omit<SharedIssuer, 'issuer'>,
  claims: Readonly<Record<string, readonly string[]>>,
): void {
  const tells = Object.entries(shared.telling).some(
    ([claim, needed]) =>
      Object.hasOwn(claims, claim) && claims[claim]!.every((pattern) => needed.test(pattern)),
  );
  if (tells) return;
  throw refuse(
    'invalid',
    `${shared.name} signs tokens for everybody, and this policy's claims do not say whose are meant: one of ${Object.keys(shared.telling).join(', ')} must be given, with no wildcard where the owner stands.`,
    `Add one, such as --claim ${shared.example}`,
  );
}
