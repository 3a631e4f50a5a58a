import { refuse } from '../../../src/oci/errors.ts';
import { query } from '../database.ts';
import { bumpAuthEpoch, type Command } from './command.ts';

interface NewTeam {
  id: string;
  slug: string;
  name: string;
  plan: string;
  createdAt: number;
}
const insertTeam = query<NewTeam>((db, p) =>
  db
    .insertInto('teams')
    .values({
      id: p('id'),
      slug: p('slug'),
      name: p('name'),
      plan: p('plan'),
      event_sequence: 0,
      created_at: p('createdAt'),
    })
    .onConflict((c) => c.column('slug').doNothing()),
);
const updatePlan = query<{ teamId: string; plan: string }>((db, p) =>
  db
    .updateTable('teams')
    .set({ plan: p('plan') })
    .where('id', '=', p('teamId')),
);
interface NewProject {
  id: string;
  teamId: string;
  slug: string;
  settings: string;
  createdAt: number;
}
const insertProject = query<NewProject>((db, p) =>
  db
    .insertInto('projects')
    .values({
      id: p('id'),
      team_id: p('teamId'),
      slug: p('slug'),
      settings: p('settings'),
      repository_count: 0,
      created_at: p('createdAt'),
    })
    .onConflict((c) => c.columns(['team_id', 'slug']).doNothing()),
);
const updateSettings = query<{ projectId: string; settings: string }>((db, p) =>
  db
    .updateTable('projects')
    .set({ settings: p('settings') })
    .where('id', '=', p('projectId')),
);
const insertAccount = query<{
  id: string;
  name: string;
  email: string | null;
  operator: number;
  createdAt: number;
}>((db, p) =>
  db
    .insertInto('accounts')
    .values({
      id: p('id'),
      name: p('name'),
      email: p('email'),
      operator: p('operator'),
      created_at: p('createdAt'),
    })
    .onConflict((c) => c.column('name').doNothing()),
);
const putMember = query<{ teamId: string; accountId: string; role: string }>((db, p) =>
  db
    .insertInto('members')
    .values({ team_id: p('teamId'), account_id: p('accountId'), role: p('role') })
    .onConflict((c) => c.columns(['team_id', 'account_id']).doUpdateSet({ role: p('role') })),
);
const removeMember = query<{ teamId: string; accountId: string }>((db, p) =>
  db
    .deleteFrom('members')
    .where('team_id', '=', p('teamId'))
    .where('account_id', '=', p('accountId')),
);

export const createTeam: Command<'CreateTeam'> = async (tx, team) => {
  if ((await insertTeam.run(tx, team)) === 0) throw taken('team', team.slug);
  return null;
};

export const setTeamPlan: Command<'SetTeamPlan'> = async (tx, args) => {
  if ((await updatePlan.run(tx, args)) === 0) throw refuse('not-found', 'There is no such team.');
  return null;
};

export const createProject: Command<'CreateProject'> = async (tx, project) => {
  const row = { ...project, settings: JSON.stringify(project.settings) };
  if ((await insertProject.run(tx, row)) === 0) throw taken('project', project.slug);
  return null;
};

export const setProjectSettings: Command<'SetProjectSettings'> = async (tx, args) => {
  const row = { projectId: args.projectId, settings: JSON.stringify(args.settings) };
  if ((await updateSettings.run(tx, row)) === 0)
    throw refuse('not-found', 'There is no such project.');
  return null;
};

export const createAccount: Command<'CreateAccount'> = async (tx, account) => {
  const { id, name, email, operator, createdAt } = account;
  const row = { id, name, email: email ?? null, operator: operator ? 1 : 0, createdAt };
  if ((await insertAccount.run(tx, row)) === 0) throw taken('account', name);
  return null;
};

export const putMemberCommand: Command<'PutMember'> = async (tx, args) => {
  await putMember.run(tx, args);
  await bumpAuthEpoch(tx);
  return null;
};

export const removeMemberCommand: Command<'RemoveMember'> = async (tx, args) => {
  if ((await removeMember.run(tx, args)) === 0)
    throw refuse('not-found', 'That account is not a member of the team.');
  await bumpAuthEpoch(tx);
  return null;
};

function taken(what: string, name: string) {
  return refuse('conflict', `The ${what} name "${name}" is taken.`, 'Choose another name.');
}
