import { refuse } from '../../../src/oci/errors.ts';
import { query } from '../database.ts';
import type { Command } from './command.ts';
import { takeSlug } from './team-slugs.ts';

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
      stored_bytes: 0,
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
export const createTeam: Command<'CreateTeam'> = async (tx, team) => {
  await takeSlug(tx, { slug: team.slug, teamId: team.id, now: team.createdAt });
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

function taken(what: string, name: string) {
  return refuse('conflict', `The ${what} name "${name}" is taken.`, 'Choose another name.');
}
