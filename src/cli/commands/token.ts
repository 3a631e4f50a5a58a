import { type Command, Option } from 'commander';
import type { NewTokenView, TokenScope, TokenView } from '../../projects/admin-methods.ts';
import { collect, group, leaf, type Run } from '../command.ts';
import { given } from '../given.ts';
import { listOr, table, time } from '../table.ts';

interface OwnerOptions {
  team?: string;
  account?: string;
  json?: boolean;
}

interface CreateOptions extends OwnerOptions {
  name?: string;
  scope?: TokenScope;
  project?: string[];
  expires?: string;
}

export function addTokenCommands(admin: Command, run: Run): void {
  const token = group(admin, 'token', 'tokens to log in with, of a team (robots) or of an account');

  leaf(
    token,
    'create',
    'make a token, which is shown this once',
    'token create --team acme --scope write',
    'token create --team acme --name ci --scope read --project web --expires 90d',
    'token create --account ada@example.com',
  )
    .option('--team <team>', "slug or id of a team: the token is the team's own")
    .option('--account <account>', 'name or id of an account: good for every team that it is in')
    .option('--name <name>', 'what lists show; the day unless given')
    .addOption(
      new Option(
        '--scope <scope>',
        'read pulls; create pushes what is new; write moves tags, too; admin does all (default: write)',
      ).choices(['read', 'create', 'write', 'admin']),
    )
    .option('--project <project>', 'only these projects; may be given again', collect)
    .option('--expires <time>', 'how long it is good for, such as 12h or 90d')
    .action(async ({ project, json, ...options }: CreateOptions) => {
      const params = given({ ...options, projects: project });
      await run(given({ json }), 'token.create', params, showNew);
    });

  leaf(
    token,
    'list',
    'the tokens of a team or of an account, without their secrets',
    'token list --team acme',
  )
    .option('--team <team>', 'slug or id of the team')
    .option('--account <account>', 'name or id of the account')
    .action(async ({ json, ...owner }: OwnerOptions) => {
      await run(given({ json }), 'token.list', given(owner), ({ tokens }) =>
        table(
          ['NAME', 'SCOPE', 'PROJECTS', 'STATE', 'EXPIRES', 'LAST USE', 'ID'],
          tokens.map(rowOf),
          'There is no token yet: npx gantry admin token create --help',
        ),
      );
    });

  leaf(
    token,
    'revoke <id>',
    'end a token, within seconds, in pushes under way, too',
    'token revoke tok_019a3c5e7f217b609d435f0c86a1e24b',
  ).action(async (id: string, options: { json?: boolean }) => {
    await run(
      options,
      'token.revoke',
      { token: id },
      ({ token: { name, owner, revokedAt } }) =>
        `The token "${name}" of ${owner} is revoked since ${time(revokedAt)}.\n`,
    );
  });
}

function rowOf(token: TokenView): string[] {
  const { name, scope, projects, state, expiresAt, lastUsedAt, id } = token;
  return [name, scope, listOr(projects, 'all'), state, time(expiresAt), time(lastUsedAt), id];
}

function showNew(made: NewTokenView): string {
  const { name, owner, scope, projects, expiresAt, token, registry, logins } = made;
  const until = expiresAt === undefined ? 'until it is revoked' : `until ${time(expiresAt)}`;
  const lines = [
    `The token "${name}" of ${owner}: ${scope}, ${listOr(projects, 'all projects')}, ${until}.`,
    'It is shown this once.',
    '',
    `  ${token}`,
    '',
  ];
  for (const { team, username } of logins) {
    lines.push(
      `To log in for the team ${team}:`,
      '',
      `  echo ${token} | docker login ${registry} --username ${username} --password-stdin`,
      '',
    );
  }
  if (logins.length === 0) {
    lines.push(
      'The account is in no team yet, so the token opens nothing:',
      '',
      `  npx gantry admin member add --team <slug> --account ${owner.replace(/^account /, '')}`,
      '',
    );
  }
  return lines.join('\n');
}
