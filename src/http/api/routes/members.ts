import { mayActInTeam } from '../../../auth/authorizer.ts';
import { mayGive } from '../../../auth/delegation.ts';
import { actionsOf, scopeOf } from '../../../auth/identities.ts';
import { refuse } from '../../../oci/errors.ts';
import type { Member, Role } from '../../../ports/teams.ts';
import { wholePerson } from '../caller.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { type Call, noContent, ok, type Route } from '../route.ts';
import { object, oneOf, page } from '../schema.ts';

const role = oneOf('viewer', 'developer', 'admin', 'owner');
const member = object(
  { accountId: { type: 'string' }, name: { type: 'string' }, role },
  { title: 'Member' },
);
const params = {
  account: { type: 'string', maxLength: 255, description: "The account's name or id." },
} as const;
const viewOf = ({ accountId, accountName: name, role }: Member) => ({ accountId, name, role });

export const memberRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/teams/{team}/members',
    operationId: 'listMembers',
    tag: 'Teams',
    summary: 'Who is in a team, by name. For its members, and for robots that manage it.',
    access: { at: 'team', action: 'known' },
    query: pageQuery(),
    replies: { 200: { description: 'A page of members.', schema: page(member, 'Members') } },
    async handle(call) {
      const { services, team } = call;
      if (!belongs(call) && !manages(call)) throw notManaging();
      const scope = `members:${team.id}`;
      const [after] = services.cursors.read(scope, call.query.cursor) ?? [];
      const limit = limitOf(call);
      const { teams } = services.metadata;
      const rows = await teams.pageMembers(team.id, after as string | undefined, limit + 1);
      const { items, next } = services.cursors.page(scope, rows, limit, (row) => [row.accountName]);
      return ok({ items: items.map(viewOf), next });
    },
  },
  {
    method: 'GET',
    path: '/teams/{team}/members/{account}',
    operationId: 'getMember',
    tag: 'Teams',
    summary: 'One who is in a team.',
    access: { at: 'team', action: 'known' },
    params,
    replies: { 200: { description: 'The member.', schema: member } },
    async handle(call) {
      if (!belongs(call) && !manages(call)) throw notManaging();
      return ok(viewOf(await memberOf(call)));
    },
  },
  {
    method: 'PUT',
    path: '/teams/{team}/members/{account}',
    operationId: 'putMember',
    tag: 'Teams',
    summary: 'Takes an account into a team, or gives it another role there.',
    description:
      'Owners are made and changed by owners and operators alone, and a team keeps at least one that it has. Nobody gives a role that may do more than the caller.',
    access: { at: 'team', action: 'manage' },
    params,
    body: object({ role }, { title: 'MemberRole' }),
    replies: { 200: { description: 'The member.', schema: member } },
    refusals: [409],
    async handle(call) {
      const { services, identity, team } = call;
      const { role } = call.body as { role: Role };
      const actions = actionsOf[scopeOf[role]];
      if (!mayGive(identity, { teamId: team.id, projectIds: undefined, actions })) {
        throw refuse(
          'denied',
          `${identity.actor} may do less than the role ${role}, and cannot give it.`,
          'Give a lower role, or ask an admin of the team.',
        );
      }
      const account = await services.metadata.teams.findAccount(call.params.account!);
      if (!account) {
        throw refuse(
          'not-found',
          'There is no such account.',
          'An operator makes it: POST /api/v1/accounts. People get theirs when they sign in.',
        );
      }
      const asOwner = await isOwner(call);
      const place = { teamId: team.id, accountId: account.id, role };
      await services.metadata.writer.run('PutMember', { ...place, asOwner });
      return ok(viewOf({ ...place, accountName: account.name }));
    },
  },
  {
    method: 'DELETE',
    path: '/teams/{team}/members/{account}',
    operationId: 'removeMember',
    tag: 'Teams',
    summary: 'Takes an account out of a team; people may take themselves out.',
    description: 'Within seconds, what its tokens and sessions could do in the team ends.',
    access: { at: 'team', action: 'known' },
    params,
    replies: { 204: { description: 'It is no longer a member.' } },
    refusals: [409],
    async handle(call) {
      const { services, team } = call;
      const managing = manages(call);
      const self = await wholePerson(call);
      if (!managing && self === undefined) throw notManaging();
      const { accountId } = await memberOf(call);
      if (!managing && self !== accountId) throw notManaging();
      const asOwner = await isOwner(call);
      await services.metadata.writer.run('RemoveMember', { teamId: team.id, accountId, asOwner });
      return noContent;
    },
  },
];

/** A person, by no token that is narrowed to projects, which may be another team's. */
function belongs({ identity, team }: Call): boolean {
  return identity.accountId !== undefined && mayActInTeam(identity, team.id, 'pull');
}

function manages({ identity, team }: Call): boolean {
  return identity.operator === true || mayActInTeam(identity, team.id, 'manage');
}

/** Robots are none, whatever they may do. */
async function isOwner({ identity, services, team }: Call): Promise<boolean> {
  if (identity.operator) return true;
  if (identity.accountId === undefined) return false;
  const own = await services.metadata.teams.findMember(team.id, identity.accountId);
  return own?.role === 'owner';
}

async function memberOf({ services, team, params: { account = '' } }: Call): Promise<Member> {
  const { teams } = services.metadata;
  const found = await teams.findAccount(account);
  const member = found && (await teams.findMember(team.id, found.id));
  if (member) return member;
  throw refuse(
    'not-found',
    'There is no such member of the team.',
    'List who is: GET /api/v1/teams/{team}/members.',
  );
}

function notManaging() {
  return refuse(
    'denied',
    'This needs the action manage in the whole team.',
    'Ask an admin of the team.',
  );
}
