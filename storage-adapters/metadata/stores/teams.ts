import type { Selectable } from 'kysely';
import type { Account, Member, PlanName, Role, Team, Teams } from '../../../src/ports/teams.ts';
import { type Executor, query, then } from '../database.ts';
import { removedTeam } from '../removed-place.ts';
import type { Builder, Schema } from '../schema.ts';

type TeamRow = Selectable<Schema['teams']>;

const shown = (db: Builder) => db.selectFrom('teams').selectAll().where('id', '!=', removedTeam);

const byId = query<{ id: string }, TeamRow>((db, p) => shown(db).where('id', '=', p('id')));
const bySlug = query<{ slug: string }, TeamRow>((db, p) => shown(db).where('slug', '=', p('slug')));
const all = query<object, TeamRow>((db) => shown(db).orderBy('slug'));
const page = query<{ ids: string; after: string; limit: number }, TeamRow>((db, p, dialect) =>
  db
    .selectFrom('teams')
    .selectAll()
    .where('id', 'in', (e) =>
      e.selectFrom(dialect.elements(p('ids')).as('wanted')).select('wanted.value'),
    )
    .where('slug', '>', p('after'))
    .orderBy('slug')
    .limit(p('limit')),
);
const pageOfAll = query<{ after: string; limit: number }, TeamRow>((db, p) =>
  shown(db).where('slug', '>', p('after')).orderBy('slug').limit(p('limit')),
);
const account = query<{ key: string }, Schema['accounts']>((db, p) =>
  db
    .selectFrom('accounts')
    .selectAll()
    .where((e) => e.or([e('id', '=', p('key')), e('name', '=', p('key'))]))
    // A provider may name somebody as another's id is: the id goes first.
    .orderBy((e) => e('id', '=', p('key')), 'desc')
    .limit(1),
);
const accounts = query<object, Schema['accounts']>((db) =>
  db.selectFrom('accounts').selectAll().orderBy('name'),
);
const accountPage = query<{ after: string; limit: number }, Schema['accounts']>((db, p) =>
  db
    .selectFrom('accounts')
    .selectAll()
    .where('name', '>', p('after'))
    .orderBy('name')
    .limit(p('limit')),
);
type MemberRow = { team_id: string; account_id: string; role: string; name: string };
const members = query<{ team: string }, MemberRow>((db, p) =>
  db
    .selectFrom('members as m')
    .innerJoin('accounts as a', 'a.id', 'm.account_id')
    .select(['m.team_id', 'm.account_id', 'm.role', 'a.name'])
    .where('m.team_id', '=', p('team'))
    .orderBy('a.name'),
);
const memberPage = query<{ team: string; after: string; limit: number }, MemberRow>((db, p) =>
  db
    .selectFrom('members as m')
    .innerJoin('accounts as a', 'a.id', 'm.account_id')
    .select(['m.team_id', 'm.account_id', 'm.role', 'a.name'])
    .where('m.team_id', '=', p('team'))
    .where('a.name', '>', p('after'))
    .orderBy('a.name')
    .limit(p('limit')),
);
const member = query<{ team: string; account: string }, MemberRow>((db, p) =>
  db
    .selectFrom('members as m')
    .innerJoin('accounts as a', 'a.id', 'm.account_id')
    .select(['m.team_id', 'm.account_id', 'm.role', 'a.name'])
    .where('m.team_id', '=', p('team'))
    .where('m.account_id', '=', p('account')),
);

const memberships = query<{ account: string }, MemberRow>((db, p) =>
  db
    .selectFrom('members as m')
    .innerJoin('accounts as a', 'a.id', 'm.account_id')
    .select(['m.team_id', 'm.account_id', 'm.role', 'a.name'])
    .where('m.account_id', '=', p('account'))
    .orderBy('m.team_id'),
);

const toTeam = (row: TeamRow): Team => ({
  id: row.id,
  slug: row.slug,
  name: row.name,
  plan: row.plan as PlanName,
  ...(row.functions === 0 && { functions: false }),
  createdAt: row.created_at,
});
export const toAccount = (row: Schema['accounts']): Account => ({
  id: row.id,
  name: row.name,
  ...(row.email !== null && { email: row.email }),
  ...(row.operator === 1 && { operator: true }),
  createdAt: row.created_at,
});
const toMember = (row: MemberRow): Member => ({
  teamId: row.team_id,
  accountId: row.account_id,
  accountName: row.name,
  role: row.role as Role,
});

export function teamsStore(db: Executor): Teams {
  return {
    findById: (id) => then(byId.get(db, { id }), (row) => row && toTeam(row)),
    findBySlug: (slug) => then(bySlug.get(db, { slug }), (row) => row && toTeam(row)),
    list: () => then(all.all(db, {}), (rows) => rows.map(toTeam)),
    page: (ids, after = '', limit) =>
      then(
        ids === undefined
          ? pageOfAll.all(db, { after, limit })
          : page.all(db, { ids: JSON.stringify(ids), after, limit }),
        (rows) => rows.map(toTeam),
      ),
    findAccount: (key) => then(account.get(db, { key }), (row) => row && toAccount(row)),
    listAccounts: () => then(accounts.all(db, {}), (rows) => rows.map(toAccount)),
    pageAccounts: (after = '', limit) =>
      then(accountPage.all(db, { after, limit }), (rows) => rows.map(toAccount)),
    findMember: (team, accountId) =>
      then(member.get(db, { team, account: accountId }), (row) => row && toMember(row)),
    listMemberships: (id) =>
      then(memberships.all(db, { account: id }), (rows) => rows.map(toMember)),
    listMembers: (team) => then(members.all(db, { team }), (rows) => rows.map(toMember)),
    pageMembers: (team, after = '', limit) =>
      then(memberPage.all(db, { team, after, limit }), (rows) => rows.map(toMember)),
  };
}
