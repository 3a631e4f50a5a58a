import { groups } from '../callers.ts';
import { type Make, type Rows, type Sample, unique } from '../row.ts';
import type { Place } from '../world.ts';

const projectPath = ({ team, project }: Place) => `/teams/${team}/projects/${project}`;

async function service(place: Place, make: Make): Promise<Sample> {
  const name = unique('service');
  await make(place, 'POST', `${projectPath(place)}/services`, { name });
  return { params: { service: name } };
}

/** Of a preview of its own, so that none waits for another. */
async function deployment(place: Place, make: Make): Promise<Sample> {
  const { params } = await service(place, make);
  const body = {
    ...{ service: params?.service, repository: place.repository, reference: 'latest' },
    ...{ environment: 'preview', name: unique('preview') },
  };
  const made = await make(place, 'POST', `${projectPath(place)}/deployments`, body);
  return { params: { deployment: String(made.id) } };
}

async function domain(place: Place, make: Make): Promise<Sample> {
  const name = `${unique('shop')}.example.com`;
  await make(place, 'PUT', `${projectPath(place)}/domains/${name}`, {});
  return { params: { domain: name } };
}

/** Who may set functions, and who may deploy: the same scopes and roles. */
const sets = { at: 'project', may: groups.push } as const;
const manages = { at: 'project', may: groups.manage } as const;

/** What cannot succeed without an engine: who may is told that there is nothing, as for all that is absent. */
const nothingRuns = { ...sets, answers: 404, makes: ['environment'] } as const;
const environment = () => ({ params: { environment: 'production' } });

/** Services, deployments, environments and their names. */
export const functionRows: Rows = {
  getFunctionStatus: { at: 'signed-in', may: groups.signedIn },
  listServices: sets,
  createService: {
    ...sets,
    sample: () => ({ body: { name: unique('service') } }),
    bodies: (other) => [{ name: unique('service'), repository: `${other.name}` }],
  },
  getService: { ...sets, sample: service },
  updateService: {
    ...sets,
    sample: async (place, make) => ({
      ...(await service(place, make)),
      body: { settings: { port: 8080 } },
    }),
  },
  deleteService: { ...sets, sample: service },
  pauseService: { ...sets, sample: service },
  resumeService: { ...sets, sample: service },

  getGantryConfig: sets,
  putGantryConfig: {
    ...sets,
    sample: () => ({ body: { services: { [unique('service')]: { port: 8080 } } } }),
  },

  listDeployments: sets,
  createDeployment: {
    ...sets,
    sample: async (place, make) => {
      const { params } = await service(place, make);
      const { repository } = place;
      return { body: { service: params?.service, repository, reference: 'latest' } };
    },
  },
  getDeployment: { ...sets, sample: deployment },
  deleteDeployment: { ...sets, sample: deployment },
  // It is not ready.
  promoteDeployment: {
    ...{ ...sets, sample: deployment, answers: 409 },
  },

  listEnvironments: sets,
  getEnvironment: { ...nothingRuns, sample: environment },
  endEnvironment: { ...nothingRuns, sample: environment },
  rollbackEnvironment: {
    ...nothingRuns,
    sample: () => ({ ...environment(), body: {} }),
  },

  listHosts: sets,
  getDeploymentRetention: sets,
  putDomain: {
    ...{ ...manages, makes: ['domain'] },
    sample: () => ({ params: { domain: `${unique('shop')}.example.com` }, body: {} }),
  },
  listDomains: sets,
  verifyDomain: { ...manages, sample: domain },
  deleteDomain: { ...manages, sample: domain },
  listInstances: sets,
};
