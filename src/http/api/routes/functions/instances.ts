import { ok, type Route } from '../../route.ts';
import { list, nullable, object, oneOf, time, toTime } from '../../schema.ts';
import { base, sees } from './views.ts';

const states = [
  ...['pending', 'pulling', 'starting', 'idle', 'running', 'frozen', 'draining', 'terminating'],
  ...['terminated', 'dead', 'crash-backoff'],
] as const;
const string = { type: 'string' } as const;
const instance = object(
  {
    ...{ id: string, service: string, deployment: string, environment: string },
    state: oneOf(...states),
    reason: nullable({ type: 'string', description: 'Why it is dead or waits to start again.' }),
    inFlight: { type: 'integer', description: 'Requests on it now.' },
    createdAt: time,
    lastRequestAt: nullable(time),
  },
  { title: 'Instance' },
);
const status = object(
  {
    enabled: { type: 'boolean', description: 'Whether pushed images run here.' },
    engine: nullable({ type: 'string', description: 'Such as Docker 29.0; null: none.' }),
    platforms: list(string),
    machineTypes: list(string, { description: 'Those that this host can run.' }),
    networkGuard: { type: 'boolean' },
    missing: list(string, { description: 'What is missing and how to get it.' }),
  },
  { title: 'FunctionStatus' },
);

export const instanceRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/functions',
    operationId: 'getFunctionStatus',
    tag: 'Installation',
    summary: 'Whether pushed images run here, on what, and what is missing.',
    access: { at: 'signed-in' },
    replies: { 200: { description: 'As it is now.', schema: status } },
    async handle({ services }) {
      const now = await services.functions?.status();
      if (now) return ok({ ...now, engine: now.engine ?? null });
      const none = { platforms: [], machineTypes: [], networkGuard: false };
      const missing = ['Functions are off: GANTRY_FUNCTIONS=on says at the start what they need.'];
      return ok({ enabled: false, engine: null, ...none, missing });
    },
  },
  {
    method: 'GET',
    path: `${base}/instances`,
    operationId: 'listInstances',
    tag: 'Deployments',
    summary: "Instances of the project's services, as they are now.",
    access: sees,
    replies: {
      200: {
        description: 'All of them.',
        schema: object({ items: list(instance) }, { title: 'Instances' }),
      },
    },
    async handle({ services, project }) {
      const views = services.functions?.instances(project.id) ?? [];
      const items = views.map((view) => ({
        ...{ id: view.instanceId, service: view.target.service.name },
        ...{ deployment: view.target.deploymentId, environment: view.target.environment },
        ...{ state: view.state, reason: view.reason ?? null, inFlight: view.inFlight },
        createdAt: toTime(view.createdAt),
        lastRequestAt: view.lastRequestAt === undefined ? null : toTime(view.lastRequestAt),
      }));
      return ok({ items });
    },
  },
];
