import { type CallerName, groups } from '../callers.ts';
import { type Make, type Row, type Rows, type Sample, unique } from '../row.ts';
import type { Place } from '../world.ts';

/** Who is in the team as a person, who manages it, and operators. */
const seesMembers: readonly CallerName[] = [
  ...(['admin', 'viewer', 'developer', 'manager', 'owner', 'operator'] as const),
];
const ofAnother: NonNullable<Row['exceptions']> = Object.fromEntries(
  groups.persons
    .filter((name) => name !== 'owner')
    .map((name) => [name, [404, 'it is the owner’s own'] as const]),
);
/** Somebody of each team. */
const member = ({ team }: Place): Sample => ({
  params: { account: team === 'foreign' ? 'mallory' : 'vera' },
});
const newToken = () => ({ name: unique('token'), scope: 'read' });

async function teamToken(place: Place, make: Make): Promise<Sample> {
  const { id } = await make(place, 'POST', `/teams/${place.team}/tokens`, newToken());
  return { params: { token: id as string } };
}

async function ownToken(place: Place, make: Make): Promise<Sample> {
  const { id } = await make(place, 'POST', '/me/tokens', newToken());
  return { params: { token: id as string } };
}

const newPolicy = () => ({
  ...{ name: unique('policy'), preset: 'generic' },
  options: { issuer: 'https://idp.example.com', claims: { sub: ['org/other'] } },
});

async function trustPolicy(place: Place, make: Make): Promise<Sample> {
  const { id } = await make(place, 'POST', `/teams/${place.team}/trust-policies`, newPolicy());
  return { params: { policy: id as string } };
}

/** Teams, who is in them, accounts, and tokens. */
export const peopleRows: Rows = {
  listTeams: { at: 'signed-in', may: groups.signedIn },
  createTeam: {
    ...{ at: 'operator', may: groups.operator },
    sample: () => ({ body: { slug: unique('team') } }),
  },
  getTeam: { at: 'team', may: groups.knowTeam },
  updateTeam: {
    ...{ at: 'team', may: groups.manageTeam },
    sample: () => ({ body: { name: unique('Team') } }),
  },

  listMembers: { at: 'team', may: seesMembers },
  getMember: { at: 'team', may: seesMembers, sample: member },
  putMember: {
    ...{ at: 'team', may: groups.manageTeam, makes: ['account'] },
    sample: (place) => ({ ...member(place), body: { role: 'viewer' } }),
  },
  removeMember: {
    at: 'team',
    // Dave is the developer, and may leave.
    may: ['admin', 'developer', 'manager', 'owner', 'operator'],
    async sample(place, make) {
      if (place.team === 'foreign') return member(place);
      await make(place, 'PUT', `/teams/${place.team}/members/dave`, { role: 'developer' });
      return { params: { account: 'dave' } };
    },
  },

  listAccounts: { at: 'operator', may: groups.operator },
  createAccount: {
    ...{ at: 'operator', may: groups.operator },
    sample: () => ({ body: { name: unique('account') } }),
  },
  getAccount: {
    ...{ at: 'operator', may: groups.operator },
    sample: () => ({ params: { account: 'vera' } }),
  },
  updateAccount: {
    ...{ at: 'operator', may: groups.operator },
    sample: () => ({ params: { account: 'vera' }, body: { email: 'vera@example.com' } }),
  },
  // Of nobody: the accounts that there are, are needed.
  deleteAccount: {
    ...{ at: 'operator', may: groups.operator, answers: 404 },
    sample: () => ({ params: { account: 'nobody' } }),
  },

  listTokens: { at: 'team', may: groups.manageTeam },
  createToken: {
    ...{ at: 'team', may: groups.manageTeam },
    sample: () => ({ body: newToken() }),
    bodies: ({ name }) => [{ ...newToken(), projects: [name.split('/').slice(0, 2).join('/')] }],
  },
  getToken: { at: 'team', may: groups.manageTeam, sample: teamToken },
  revokeToken: { at: 'team', may: groups.manageTeam, sample: teamToken },

  listTrustPolicies: { at: 'team', may: groups.manageTeam },
  createTrustPolicy: {
    ...{ at: 'team', may: groups.manageTeam },
    sample: () => ({ body: newPolicy() }),
    bodies: ({ name }) => [{ ...newPolicy(), projects: [name.split('/').slice(0, 2).join('/')] }],
  },
  getTrustPolicy: { at: 'team', may: groups.manageTeam, sample: trustPolicy },
  updateTrustPolicy: {
    ...{ at: 'team', may: groups.manageTeam },
    async sample(place, make) {
      return { ...(await trustPolicy(place, make)), body: { actions: ['pull'] } };
    },
  },
  deleteTrustPolicy: { at: 'team', may: groups.manageTeam, sample: trustPolicy },

  listMyTokens: { at: 'signed-in', may: groups.persons },
  createMyToken: {
    ...{ at: 'signed-in', may: groups.persons },
    sample: () => ({ body: newToken() }),
  },
  getMyToken: {
    ...{ at: 'signed-in', may: groups.persons },
    ...{ sample: ownToken, exceptions: ofAnother },
  },
  revokeMyToken: {
    ...{ at: 'signed-in', may: groups.persons },
    ...{ sample: ownToken, exceptions: ofAnother },
  },
};
