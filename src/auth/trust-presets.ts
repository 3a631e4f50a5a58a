import { refuse } from '../oci/errors.ts';
import { checkClaimPatterns } from './claim-patterns.ts';
import { checkSharedIssuer } from './oidc-shared-issuers.ts';

/** The part of a trust policy that says whose tokens it accepts. */
export interface Trust {
  readonly issuer: string;
  /** Undefined: this instance's own. */
  readonly audience: string | undefined;
  readonly claims: Readonly<Record<string, readonly string[]>>;
  /** What to tell the person who makes the policy, such as that a name can change hands. */
  readonly advice?: string | undefined;
}

/** Values are patterns (`*`, `**`) but for ids. Give ids where you can: names can change hands. */
export interface GithubTrust {
  /** `owner/name` */
  readonly repository?: string | undefined;
  /** `gh api repos/OWNER/NAME --jq .id` */
  readonly repositoryId?: string | undefined;
  readonly owner?: string | undefined;
  /** `gh api users/OWNER --jq .id` */
  readonly ownerId?: string | undefined;
  /** `main`, `refs/heads/main`, `refs/tags/v*` */
  readonly ref?: string | undefined;
  readonly environment?: string | undefined;
  /** `https://github.example.com` for Enterprise Server, `https://acme.ghe.com`; github.com unless given. */
  readonly server?: string | undefined;
  /** The slug, where the enterprise has an issuer of its own. */
  readonly enterprise?: string | undefined;
  readonly audience?: string | undefined;
}

export interface GitlabTrust {
  /** `https://gitlab.example.com`; https://gitlab.com unless given. */
  readonly server?: string | undefined;
  /** `group/subgroup/project` */
  readonly project?: string | undefined;
  readonly projectId?: string | undefined;
  /** `group/subgroup` */
  readonly namespace?: string | undefined;
  readonly namespaceId?: string | undefined;
  /** A branch, or `refs/heads/…`, `refs/tags/…`. */
  readonly ref?: string | undefined;
  readonly protectedRef?: boolean | undefined;
  readonly environment?: string | undefined;
  readonly audience?: string | undefined;
}

export interface VercelTrust {
  /** The slug, as in vercel.com/<team>. */
  readonly team: string;
  /** `team_…` */
  readonly teamId?: string | undefined;
  /** Name, or `prj_…`. */
  readonly project?: string | undefined;
  /** `production`, `preview`, `development` or a custom one. */
  readonly environment?: string | undefined;
  /** The project's issuer mode in Vercel's settings; team unless given. */
  readonly mode?: 'team' | 'global' | undefined;
  /** `https://vercel.com/<team>`, which tokens have by default, unless given. */
  readonly audience?: string | undefined;
}

export interface GenericTrust {
  readonly issuer: string;
  readonly audience?: string | undefined;
  readonly claims: Readonly<Record<string, readonly string[]>>;
}

const githubIssuer = 'https://token.actions.githubusercontent.com';

/** Claims as docs.github.com, "OpenID Connect reference", lists them. @throws RegistryError `invalid` */
export function githubTrust(input: GithubTrust): Trust {
  if (!input.repository && !input.repositoryId && !input.owner && !input.ownerId) {
    throw refuse(
      'invalid',
      'The github preset needs a repository or an owner: every repository of GitHub shares one issuer.',
      'Give the repository id (gh api repos/OWNER/NAME --jq .id) or the owner id (gh api users/OWNER --jq .id).',
    );
  }
  if (input.repository && !/^[^/]+\/[^/]+$/.test(input.repository)) {
    throw refuse('invalid', `A GitHub repository is owner/name; "${input.repository}" is not.`);
  }
  const byName = !input.repositoryId && !input.ownerId;
  const named = input.repository ?? input.owner;
  return checked({
    issuer: githubIssuerOf(input.server, input.enterprise),
    audience: input.audience,
    claims: claimsOf({
      repository_id: id('repository id', input.repositoryId),
      repository_owner_id: id('owner id', input.ownerId),
      repository: input.repository,
      repository_owner: input.owner,
      ref: input.ref && (input.ref.startsWith('refs/') ? input.ref : `refs/heads/${input.ref}`),
      environment: input.environment,
    }),
    advice: byName
      ? `"${named}" is a name: who gets it after you, gets its access. Safer with the id, which ${input.repository ? `gh api repos/${input.repository} --jq .id` : `gh api users/${input.owner} --jq .id`} prints.`
      : undefined,
  });
}

/** Claims as docs.gitlab.com, "ID token authentication", lists them. @throws RegistryError `invalid` */
export function gitlabTrust(input: GitlabTrust): Trust {
  const { project, projectId, namespace, namespaceId, ref } = input;
  if (!project && !projectId && !namespace && !namespaceId) {
    throw refuse(
      'invalid',
      'The gitlab preset needs a project or a namespace: all projects of a server share one issuer.',
      "Give the project id (on the project's page, or $CI_PROJECT_ID in a job).",
    );
  }
  const fullRef = ref?.startsWith('refs/');
  return checked({
    issuer: origin(input.server ?? 'https://gitlab.com', 'GitLab server'),
    audience: input.audience,
    claims: claimsOf({
      project_id: id('project id', projectId),
      namespace_id: id('namespace id', namespaceId),
      project_path: project,
      namespace_path: namespace,
      ref_path: fullRef ? ref : undefined,
      ref: fullRef ? undefined : ref,
      ref_type: ref && !fullRef ? 'branch' : undefined,
      ref_protected: input.protectedRef ? 'true' : undefined,
      environment: input.environment,
    }),
    advice:
      projectId || namespaceId
        ? undefined
        : `"${project ?? namespace}" is a path: who gets it after you, gets its access. Safer with the id ($CI_PROJECT_ID or $CI_PROJECT_NAMESPACE_ID in a job).`,
  });
}

/** Claims as vercel.com/docs/oidc/reference lists them. @throws RegistryError `invalid` */
export function vercelTrust(input: VercelTrust): Trust {
  if (!/^[a-z0-9-]{1,100}$/.test(input.team)) {
    throw refuse(
      'invalid',
      `A Vercel team is given by its slug, as in vercel.com/<team>; "${input.team}" is none.`,
      'Give an id (team_…) beside the slug, as the team id.',
    );
  }
  const { project, teamId } = input;
  const byId = project?.startsWith('prj_');
  return checked({
    issuer:
      input.mode === 'global' ? 'https://oidc.vercel.com' : `https://oidc.vercel.com/${input.team}`,
    audience: input.audience ?? `https://vercel.com/${input.team}`,
    claims: claimsOf({
      owner_id: teamId,
      owner: teamId ? undefined : input.team,
      project_id: byId ? project : undefined,
      project: byId ? undefined : project,
      environment: input.environment,
    }),
    advice:
      teamId && (byId || !project)
        ? undefined
        : 'Slugs and project names can change hands. Safer with the ids (team_… and prj_…), which the settings pages show.',
  });
}

/** @throws RegistryError `invalid` */
export function genericTrust(input: GenericTrust): Trust {
  return checked({ issuer: input.issuer, audience: input.audience, claims: input.claims });
}

/**
 * Refuses what could not work or would trust strangers. Whether the issuer's address may be called is the
 * outbound guard's to say.
 */
function checked(trust: Trust): Trust {
  const url = URL.parse(trust.issuer);
  if (!url || !/^https?:\/\//.test(trust.issuer) || /[?#\s]/.test(trust.issuer)) {
    throw refuse(
      'invalid',
      `The issuer must be the URL in the tokens' "iss", without query or fragment; "${trust.issuer}" is not.`,
    );
  }
  if (trust.audience === '' || (trust.audience?.length ?? 0) > 1024) {
    throw refuse('invalid', 'The audience must have 1 to 1024 characters, or be left out.');
  }
  checkClaimPatterns(trust.claims);
  checkSharedIssuer(trust.issuer, trust.claims);
  return trust;
}

function githubIssuerOf(server: string | undefined, enterprise: string | undefined): string {
  const path = enterprise === undefined ? '' : `/${encodeURIComponent(enterprise)}`;
  if (server === undefined) return `${githubIssuer}${path}`;
  const url = new URL(origin(server, 'GitHub server'));
  if (url.hostname === 'github.com') return `${githubIssuer}${path}`;
  if (url.hostname.endsWith('.ghe.com')) return `https://token.actions.${url.hostname}${path}`;
  return `${url.origin}/_services/token${path}`;
}

function origin(server: string, what: string): string {
  const url = URL.parse(server);
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash) {
    throw refuse('invalid', `The ${what} must be a URL such as https://git.example.com.`);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function id(what: string, value: string | undefined): string | undefined {
  if (value === undefined || /^\d{1,20}$/.test(value)) return value;
  throw refuse('invalid', `The ${what} is a number; "${value}" is none.`);
}

function claimsOf(
  values: Readonly<Record<string, string | undefined>>,
): Record<string, readonly string[]> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value ? [[name, [value]]] : [])),
  );
}
