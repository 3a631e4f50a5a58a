type Claims = Readonly<Record<string, unknown>>;

/** CI systems and platforms whose tokens and settings are known by name. */
export type IssuerFamily = 'github' | 'gitlab' | 'vercel' | 'other';

/** Of a verified token; a self-hosted server is known by the claims that only its kind has. */
export function familyOf(issuer: string, claims: Claims): IssuerFamily {
  if (/^https:\/\/oidc\.vercel\.com(\/|$)/.test(issuer)) return 'vercel';
  if ('repository_owner_id' in claims && 'repository_id' in claims) return 'github';
  if ('project_path' in claims && 'namespace_path' in claims) return 'gitlab';
  return 'other';
}

/** How to ask for a token with this audience, as a sentence. */
export function howToRequest(family: IssuerFamily, audience: string): string {
  const text = JSON.stringify(audience);
  switch (family) {
    case 'github':
      return `Request it in the workflow with core.getIDToken(${text}) of @actions/core (audience: ${text}); the job needs "permissions: id-token: write".`;
    case 'gitlab':
      return `Set it in .gitlab-ci.yml on the job: id_tokens: { GANTRY_ID_TOKEN: { aud: ${text} } }, and log in with $GANTRY_ID_TOKEN.`;
    case 'vercel':
      return `Request it with getVercelOidcToken({ audience: ${text} }) of @vercel/oidc, or make the policy with the --audience that the token has.`;
    case 'other':
      return `Ask the issuer for a token whose only "aud" is ${text}.`;
  }
}

/** How to get a token that is not expired, as a sentence. */
export function howToRenew(family: IssuerFamily): string {
  switch (family) {
    case 'github':
      return 'Tokens of GitHub Actions last minutes: request one in the same step that logs in, and re-run the job.';
    case 'gitlab':
      return 'Re-run the GitLab job: each run gets new id_tokens; log in before the job timeout is over.';
    case 'vercel':
      return 'Get a new one with: vercel env pull (it writes VERCEL_OIDC_TOKEN into .env.local); in a build, redeploy.';
    case 'other':
      return 'Get a new token from the issuer right before the login.';
  }
}

/** What to do where a token lacks a claim that a policy asks for. */
export function howToAddClaim(family: IssuerFamily, claim: string): string {
  if (claim === 'environment' && family === 'github') {
    return 'GitHub adds it to jobs that name one: set "environment:" on the job.';
  }
  if (/^(environment|deployment_tier)/.test(claim) && family === 'gitlab') {
    return 'GitLab adds it to jobs that name one: set "environment:" on the job.';
  }
  return 'See that the issuer puts it into its tokens, or make a policy on a claim that is there.';
}

/** Names that can be given to somebody else, and the claim that says the same for good. */
const idClaims: Readonly<Record<IssuerFamily, Readonly<Record<string, readonly string[]>>>> = {
  github: {
    sub: ['repository_id', 'environment', 'ref'],
    repository: ['repository_id'],
    repository_owner: ['repository_owner_id'],
  },
  gitlab: {
    sub: ['project_id', 'ref', 'ref_type'],
    project_path: ['project_id'],
    namespace_path: ['namespace_id'],
  },
  vercel: {
    sub: ['owner_id', 'project_id', 'environment'],
    project: ['project_id'],
    owner: ['owner_id'],
  },
  other: {},
};

/** The claims that a new policy should ask for in place of `claim`: ids where the issuer gives them. */
export function preferredClaims(family: IssuerFamily, claim: string, claims: Claims): string[] {
  const byFamily = idClaims[family];
  const preferred = Object.hasOwn(byFamily, claim) ? byFamily[claim] : undefined;
  const [id, ...rest] = (preferred ?? []).filter((name) => Object.hasOwn(claims, name));
  if (id === undefined || !/_id$/.test(id)) return [claim];
  return [id, ...rest];
}
