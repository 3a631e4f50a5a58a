import { groups } from '../callers.ts';
import { type Make, type Rows, type Sample, unique } from '../row.ts';
import type { Place } from '../world.ts';

const variableName = () => unique('NAME').replace('-', '_');
const projectPath = ({ team, project }: Place) => `/teams/${team}/projects/${project}`;

async function newProject(place: Place, make: Make): Promise<Sample> {
  const slug = unique('project');
  await make(place, 'POST', `/teams/${place.team}/projects`, { slug });
  return { params: { project: slug } };
}

async function secret(place: Place, make: Make): Promise<Sample> {
  const name = variableName();
  await make(place, 'PUT', `${projectPath(place)}/secrets/${name}`, { value: 'x' });
  return { params: { name } };
}

async function variable(place: Place, make: Make): Promise<Sample> {
  const name = variableName();
  await make(place, 'PUT', `${projectPath(place)}/env/preview/${name}`, { value: 'x' });
  return { params: { environment: 'preview', name } };
}

/** Who may set functions, or manages. */
const sets = { at: 'project', may: groups.push } as const;

/** Projects, their secrets and their variables. */
export const projectRows: Rows = {
  listProjects: { at: 'team', may: groups.knowTeam },
  createProject: {
    ...{ at: 'team', may: groups.manageTeam },
    sample: () => ({ body: { slug: unique('project') } }),
  },
  getProject: { at: 'project', may: groups.pull },
  updateProject: {
    ...{ at: 'project', may: groups.manage },
    sample: () => ({ body: { settings: { platforms: null } } }),
  },
  deleteProject: { at: 'project', may: groups.manage, sample: newProject, makes: ['project'] },

  getTeamUsage: { at: 'team', may: groups.pullTeam },
  getProjectUsage: { at: 'project', may: groups.pull },

  listSecrets: sets,
  getSecret: { ...sets, sample: secret },
  putSecret: {
    ...{ ...sets, makes: ['name'] },
    sample: () => ({ params: { name: variableName() }, body: { value: 'x' } }),
  },
  deleteSecret: { ...sets, sample: secret },

  // There are the same environments in every project.
  listVariables: {
    ...{ ...sets, makes: ['environment'] },
    sample: () => ({ params: { environment: 'preview' } }),
  },
  getVariable: { ...sets, sample: variable, makes: ['environment'] },
  putVariable: {
    ...{ ...sets, makes: ['environment', 'name'] },
    sample: () => ({
      ...{ params: { environment: 'preview', name: variableName() }, body: { value: 'x' } },
    }),
  },
  deleteVariable: { ...sets, sample: variable, makes: ['environment'] },
};
