import { refuse } from '../../../oci/errors.ts';
import type { Account } from '../../../ports/teams.ts';
import { isId, newId } from '../../../projects/ids.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { type Call, created, noContent, ok, type Route } from '../route.ts';
import { nullable, object, page, text, time, title, toTime } from '../schema.ts';

const account = object(
  {
    id: { type: 'string' },
    name: { type: 'string' },
    email: nullable({ type: 'string' }),
    operator: { type: 'boolean' },
    createdAt: time,
  },
  { title: 'Account' },
);
const email = nullable(
  text(254, { format: 'title', pattern: '^[^@\\s]+@[^@\\s]+$', examples: ['ada@example.com'] }),
);
const operator = {
  type: 'boolean',
  description: 'Runs the installation: makes teams and accounts, and manages all of them.',
} as const;
const access = { at: 'operator' } as const;
const tag = 'Accounts';
const params = {
  account: { type: 'string', maxLength: 255, description: "The account's name or id." },
} as const;

const viewOf = ({ id, name, email, operator, createdAt }: Account) => ({
  ...{ id, name, email: email ?? null, operator: operator === true },
  createdAt: toTime(createdAt),
});

interface Given {
  readonly name?: string;
  readonly email?: string | null;
  readonly operator?: boolean;
}

/** People, for those who run the installation. */
export const accountRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/accounts',
    operationId: 'listAccounts',
    tag,
    summary: 'All accounts, by name.',
    access,
    query: pageQuery(),
    replies: { 200: { description: 'A page of accounts.', schema: page(account, 'Accounts') } },
    async handle(call) {
      const { cursors, metadata } = call.services;
      const [after] = cursors.read('accounts', call.query.cursor) ?? [];
      const limit = limitOf(call);
      const rows = await metadata.teams.pageAccounts(after as string | undefined, limit + 1);
      const { items, next } = cursors.page('accounts', rows, limit, (row) => [row.name]);
      return ok({ items: items.map(viewOf), next });
    },
  },
  {
    method: 'POST',
    path: '/accounts',
    operationId: 'createAccount',
    tag,
    summary: 'Makes an account for a person.',
    access,
    idempotent: true,
    body: object(
      { name: title, email, operator },
      { optional: ['email', 'operator'], title: 'NewAccount' },
    ),
    replies: { 201: { description: 'The account.', schema: account } },
    async handle({ services, body }) {
      const { name, email, operator } = body as Given & { name: string };
      checkName(name);
      const made: Account = {
        ...{ id: newId('acc'), name, createdAt: services.clock.now() },
        ...(email != null && { email }),
        ...(operator && { operator }),
      };
      await services.metadata.writer.run('CreateAccount', made);
      return created(viewOf(made), `/accounts/${made.id}`);
    },
  },
  {
    method: 'GET',
    path: '/accounts/{account}',
    operationId: 'getAccount',
    tag,
    summary: 'An account.',
    access,
    params,
    replies: { 200: { description: 'The account.', schema: account } },
    refusals: [404],
    async handle(call) {
      return ok(viewOf(await accountOf(call)));
    },
  },
  {
    method: 'PATCH',
    path: '/accounts/{account}',
    operationId: 'updateAccount',
    tag,
    summary: 'Changes what is given of an account; makes it an operator, or no longer one.',
    access,
    params,
    body: object(
      { name: title, email, operator },
      { optional: ['name', 'email', 'operator'], title: 'AccountChange' },
    ),
    replies: { 200: { description: 'The account as it is now.', schema: account } },
    refusals: [404, 409],
    async handle(call) {
      const { id } = await accountOf(call);
      const change = call.body as Given;
      if (change.name !== undefined) checkName(change.name);
      const { writer, teams } = call.services.metadata;
      await writer.run('UpdateAccount', { accountId: id, ...change });
      return ok(viewOf((await teams.findAccount(id))!));
    },
  },
  {
    method: 'DELETE',
    path: '/accounts/{account}',
    operationId: 'deleteAccount',
    tag,
    summary: 'Deletes an account: its tokens and sessions end within seconds.',
    description: 'What it pushed stays. The last owner of a team cannot be deleted.',
    access,
    params,
    replies: { 204: { description: 'It is gone.' } },
    refusals: [404, 409],
    async handle(call) {
      const { id: accountId } = await accountOf(call);
      await call.services.metadata.writer.run('DeleteAccount', { accountId });
      return noContent;
    },
  },
];

/** A name that is another account's id would stand for both. */
function checkName(name: string): void {
  if (!isId(name, 'acc')) return;
  throw refuse(
    'invalid',
    'The name of an account cannot look like an id.',
    'Use a name or e-mail.',
  );
}

async function accountOf({ services, params }: Call): Promise<Account> {
  const account = await services.metadata.teams.findAccount(params.account!);
  if (account) return account;
  throw refuse('not-found', 'There is no such account.', 'List them: GET /api/v1/accounts.');
}
