import { type Command, Option } from 'commander';
import type { Action, PolicyView, PresetName } from '../../projects/admin-methods.ts';
import { again, collect, group, leaf, type Run } from '../command.ts';
import { given } from '../given.ts';
import { fields, listOr, table } from '../table.ts';

interface CommonOptions {
  team: string;
  name: string;
  project?: string[];
  actions?: string[];
  json?: boolean;
}

interface UpdateOptions extends Partial<CommonOptions> {
  claim?: string[];
  audience?: string;
  ownAudience?: boolean;
}

type PresetOptions = Readonly<Record<string, string | boolean | undefined>>;

export function addPolicyCommands(admin: Command, run: Run): void {
  const policy = group(admin, 'policy', 'trust policies: whose OIDC tokens a team accepts');

  async function create(
    { team, name, project, actions, json }: CommonOptions,
    preset: PresetName,
    options: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const params = {
      ...given({ team, name, projects: project, actions: actions as Action[] | undefined }),
      preset,
      options: given(options),
    };
    await run(given({ json }), 'policy.create', params, (made) => {
      const advice = made.advice === undefined ? '' : `\n${made.advice}\n`;
      return `${show(made)}${advice}`;
    });
  }

  withCommon(
    leaf(
      policy,
      'create',
      "accept any issuer's tokens by their claims",
      "policy create --team acme --name ci --issuer https://idp.example.com --claim 'sub=repo:acme/*'",
    ),
  )
    .requiredOption('--issuer <url>', "the tokens' iss, exactly")
    .option('--audience <text>', "the tokens' aud; this registry unless given")
    .requiredOption(
      '--claim <name=pattern>',
      'what a token must say; * is any run of characters but / and :, ** any at all; may be given again, the same name for alternatives',
      again,
    )
    .action(
      async (options: CommonOptions & { issuer: string; audience?: string; claim: string[] }) => {
        const { issuer, audience, claim } = options;
        await create(options, 'generic', { issuer, audience, claims: claimsOf(claim) });
      },
    );

  preset(policy, create, 'github', 'GitHub Actions', [
    'policy create-github --team acme --name ci --repository-id 22',
    'policy create-github --team acme --name ci --repository acme/app --ref main --project web',
  ])
    .option('--repository-id <id>', 'gh api repos/OWNER/NAME --jq .id; safer than the name')
    .option('--repository <owner/name>', 'may have * and **')
    .option('--owner-id <id>', 'gh api users/OWNER --jq .id')
    .option('--owner <name>', 'all repositories of an owner')
    .option('--ref <ref>', 'a branch, or refs/heads/… or refs/tags/…; may have * and **')
    .option('--environment <name>', 'a deployment environment')
    .option('--server <url>', 'of Enterprise Server or ghe.com; github.com unless given')
    .option('--enterprise <slug>', 'where the enterprise has an issuer of its own')
    .option('--audience <text>', 'this registry unless given');

  preset(policy, create, 'gitlab', 'GitLab CI/CD', [
    'policy create-gitlab --team acme --name ci --gitlab-project-id 42 --ref main',
    'policy create-gitlab --team acme --name ci --gitlab-project group/app --protected-ref',
  ])
    .option('--gitlab-project-id <id>', '$CI_PROJECT_ID; safer than the path')
    .option('--gitlab-project <path>', 'group/subgroup/project; may have * and **')
    .option('--namespace-id <id>', '$CI_PROJECT_NAMESPACE_ID')
    .option('--namespace <path>', 'all projects of a group')
    .option('--ref <ref>', 'a branch, or refs/heads/… or refs/tags/…; may have * and **')
    .option('--protected-ref', 'only protected branches and tags')
    .option('--environment <name>', 'a deployment environment')
    .option('--server <url>', 'https://gitlab.com unless given')
    .option('--audience <text>', 'this registry unless given');

  preset(policy, create, 'vercel', 'Vercel builds and functions', [
    'policy create-vercel --team acme --name site --vercel-team acme --vercel-team-id team_x --vercel-project prj_y',
  ])
    .requiredOption('--vercel-team <slug>', 'as in vercel.com/<slug>')
    .option('--vercel-team-id <id>', 'team_…; safer than the slug alone')
    .option('--vercel-project <project>', 'its id (prj_…) or its name')
    .option('--environment <name>', 'production, preview, development or a custom one')
    .addOption(new Option('--mode <mode>', "the project's issuer mode").choices(['team', 'global']))
    .option('--audience <text>', 'https://vercel.com/<slug> unless given');

  leaf(
    policy,
    'update <id>',
    'change what is given of a policy',
    "policy update pol_019a3c5e7f217b609d435f0c86a1e24b --claim 'sub=repo:acme/*'",
    'policy update pol_019a3c5e7f217b609d435f0c86a1e24b --actions pull,create --project web',
  )
    .option('--name <name>', 'what lists and refusals call it')
    .option('--claim <name=pattern>', 'all that a token must say from now on', again)
    .option('--audience <text>', "the tokens' aud")
    .option('--own-audience', "the tokens' aud is this registry")
    .option('--project <project>', 'only these projects, * for all; may be given again', collect)
    .option('--actions <list>', 'as policy create has them', collect)
    .action(async (id: string, { claim, project, json, ...rest }: UpdateOptions) => {
      const { ownAudience, audience, name, actions } = rest;
      const change = {
        ...given({ name, projects: project, actions: actions as Action[] | undefined }),
        ...(claim && { claims: claimsOf(claim) }),
        ...(ownAudience ? { audience: null } : given({ audience })),
      };
      await run(given({ json }), 'policy.update', { policy: id, ...change }, show);
    });

  leaf(policy, 'list', "a team's policies", 'policy list --team acme')
    .requiredOption('--team <team>', 'slug or id of the team')
    .action(async ({ team, json }: { team: string; json?: boolean }) => {
      await run(given({ json }), 'policy.list', { team }, ({ policies }) =>
        policies.length === 0
          ? 'The team has no policy yet: npx gantry admin policy --help\n'
          : policies.map(show).join('\n'),
      );
    });

  leaf(
    policy,
    'delete <id>',
    'stop accepting such tokens, within seconds',
    'policy delete pol_019a3c5e7f217b609d435f0c86a1e24b',
  ).action(async (id: string, options: { json?: boolean }) => {
    await run(options, 'policy.delete', { policy: id }, () => `The policy ${id} is deleted.\n`);
  });
}

function withCommon(command: Command): Command {
  return command
    .requiredOption('--team <team>', 'slug or id of the team')
    .requiredOption('--name <name>', 'what lists and refusals call it')
    .option('--project <project>', 'only these projects, * for all; may be given again', collect)
    .option(
      '--actions <list>',
      'pull, create, push, delete, deploy, functions, manage (default: pull,push)',
      collect,
    );
}

function preset(
  policy: Command,
  create: (options: CommonOptions, preset: PresetName, own: PresetOptions) => Promise<void>,
  name: Exclude<PresetName, 'generic'>,
  whose: string,
  examples: string[],
): Command {
  const command = leaf(policy, `create-${name}`, `accept the tokens of ${whose}`, ...examples);
  return withCommon(command).action(async (options: CommonOptions & PresetOptions) => {
    const { team, name: title, project, actions, json, ...own } = options;
    await create(
      { ...given({ project, actions, json }), team, name: title },
      name,
      ownOf(name, own),
    );
  });
}

/** `--gitlab-project` is the preset's `project`: without its prefix it would be ours. */
function ownOf(preset: string, options: PresetOptions): PresetOptions {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => {
      if (!name.startsWith(preset)) return [name, value];
      const rest = name.slice(preset.length);
      return [rest.charAt(0).toLowerCase() + rest.slice(1), value];
    }),
  );
}

function claimsOf(texts: readonly string[]): Record<string, string[]> {
  const claims: Record<string, string[]> = {};
  for (const text of texts) {
    const at = text.indexOf('=');
    const name = at < 0 ? text : text.slice(0, at);
    claims[name] = [...(claims[name] ?? []), ...(at < 0 ? [] : [text.slice(at + 1)])];
  }
  return claims;
}

function show(policy: PolicyView): string {
  const { id, team, name, issuer, audience, claims, projects, actions } = policy;
  const head = fields({
    policy: name,
    id,
    team,
    issuer,
    audience: audience ?? 'this registry',
    projects: listOr(projects, 'all'),
    actions: actions.join(', '),
  });
  const rows = Object.entries(claims).map(([claim, patterns]) => [claim, patterns.join(' or ')]);
  return `${head}${table(['claim', 'must be'], rows, 'no claim')}`;
}
