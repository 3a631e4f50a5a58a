import { Argument, type Command, Option } from 'commander';
import type { Role } from '../../projects/admin-methods.ts';
import { group, leaf, type Run } from '../command.ts';
import { given } from '../given.ts';
import { fields, table } from '../table.ts';

interface MemberOptions {
  team: string;
  account: string;
  role?: Role;
  json?: boolean;
}

export function addAccountCommands(admin: Command, run: Run): void {
  const account = group(admin, 'account', 'people, who can be members of teams');

  leaf(
    account,
    'create <name>',
    'make an account for a person',
    'account create ada@example.com',
    'account create root --operator --email root@example.com',
  )
    .option('--email <address>', 'where the person is reached')
    .option('--operator', 'runs the installation: makes teams and accounts, and manages them all')
    .action(async (name: string, { email, operator, ...options }: NewAccount) => {
      const params = { name, ...given({ email, operator }) };
      await run(options, 'account.create', params, ({ id }) => fields({ account: name, id }));
    });

  leaf(
    account,
    'set-operator <account>',
    'let an account run the installation by the API, or no longer',
    'account set-operator ada@example.com on',
  )
    .addArgument(new Argument('<state>', 'on or off').choices(['on', 'off']))
    .action(async (name: string, state: string, options: { json?: boolean }) => {
      const params = { account: name, operator: state === 'on' };
      await run(options, 'account.set-operator', params, ({ operator }) =>
        operator ? `${name} is an operator.\n` : `${name} is no operator.\n`,
      );
    });

  leaf(
    account,
    'delete <account>',
    'delete an account; its tokens and sessions end within seconds',
    'account delete ada@example.com',
  ).action(async (name: string, options: { json?: boolean }) => {
    await run(options, 'account.delete', { account: name }, () => `${name} is deleted.\n`);
  });

  leaf(account, 'list', 'all accounts', 'account list').action(
    async (options: { json?: boolean }) => {
      await run(options, 'account.list', {}, ({ accounts }) =>
        table(
          ['NAME', 'OPERATOR', 'ID'],
          accounts.map(({ name, operator, id }) => [name, operator ? 'yes' : 'no', id]),
          'There is no account yet: npx gantry admin account create <name>',
        ),
      );
    },
  );
}

interface NewAccount {
  email?: string;
  operator?: boolean;
  json?: boolean;
}

export function addMemberCommands(admin: Command, run: Run): void {
  const member = group(admin, 'member', 'who is in a team, and what they may do');

  leaf(
    member,
    'add',
    'put an account into a team, or change its role there',
    'member add --team acme --account ada@example.com',
    'member add --team acme --account ada@example.com --role admin',
  )
    .requiredOption('--team <team>', 'slug or id of the team')
    .requiredOption('--account <account>', 'name or id of the account')
    .addOption(
      new Option(
        '--role <role>',
        'viewer pulls; developer pushes, too; admin and owner delete, too (default: developer)',
      ).choices(['viewer', 'developer', 'admin', 'owner']),
    )
    .action(async ({ team, account, role, ...options }: MemberOptions) => {
      await run(options, 'member.add', given({ team, account, role }), (added) =>
        fields({ team, account: added.accountName, role: added.role }),
      );
    });

  leaf(member, 'list', 'the members of a team', 'member list --team acme')
    .requiredOption('--team <team>', 'slug or id of the team')
    .action(async ({ team, ...options }: { team: string; json?: boolean }) => {
      await run(options, 'member.list', { team }, ({ members }) =>
        table(
          ['ACCOUNT', 'ROLE', 'ID'],
          members.map(({ accountName, role, accountId }) => [accountName, role, accountId]),
          `The team has no member yet: npx gantry admin member add --team ${team} --account <name>`,
        ),
      );
    });

  leaf(
    member,
    'remove',
    'take an account out of a team; its tokens no longer open it',
    'member remove --team acme --account ada@example.com',
  )
    .requiredOption('--team <team>', 'slug or id of the team')
    .requiredOption('--account <account>', 'name or id of the account')
    .action(async ({ team, account, ...options }: MemberOptions) => {
      await run(
        options,
        'member.remove',
        { team, account },
        () => `${account} is no longer in the team ${team}.\n`,
      );
    });
}
