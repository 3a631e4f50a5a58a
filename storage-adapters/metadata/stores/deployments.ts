import { sql } from 'kysely';
import type {
  Deployment,
  DeploymentOrigin,
  DeploymentReason,
  DeploymentState,
  Deployments,
  EnvironmentPointer,
  FunctionEnvironment,
  FunctionHost,
  Snapshot,
} from '../../../src/ports/functions.ts';
import { type Executor, query, then } from '../database.ts';
import type { Builder } from '../schema.ts';
import type { FunctionSchema } from '../schema-functions.ts';
import { prunableRows } from './prunable-deployments.ts';

type Row = FunctionSchema['deployments'] & { team_id: string };
type PointerRow = FunctionSchema['environment_pointers'];
type HostRow = FunctionSchema['function_hosts'];

const joined = (db: Builder) =>
  db
    .selectFrom('deployments as d')
    .innerJoin('projects as p', 'p.id', 'd.project_id')
    .selectAll('d')
    .select('p.team_id');

const byId = query<{ id: string }, Row>((db, p) => joined(db).where('d.id', '=', p('id')));
interface PageArgs {
  project: string;
  environment: string | null;
  state: string | null;
  before: number;
  limit: number;
}
const page = query<PageArgs, Row>((db, p) =>
  joined(db)
    .where('d.project_id', '=', p('project'))
    .where('d.number', '<', p('before'))
    .where((e) =>
      e.or([
        e(sql`cast(${p('environment')} as text)`, 'is', null),
        e('d.environment', '=', sql<string>`${p('environment')}`),
      ]),
    )
    .where((e) =>
      e.or([
        e(sql`cast(${p('state')} as text)`, 'is', null),
        e('d.state', '=', sql<string>`${p('state')}`),
      ]),
    )
    .orderBy('d.number', 'desc')
    .limit(p('limit')),
);
interface ServicePlace {
  project: string;
  environment: string;
  name: string;
  service: string;
}
const latestOf = query<ServicePlace, Row>((db, p) =>
  joined(db)
    .where('d.project_id', '=', p('project'))
    .where('d.environment', '=', p('environment'))
    .where('d.name', '=', p('name'))
    .where('d.service_id', '=', p('service'))
    .orderBy('d.number', 'desc')
    .limit(1),
);
const inStates = query<{ states: string; limit: number }, Row>((db, p, dialect) =>
  joined(db)
    .where('d.state', 'in', (e) =>
      e.selectFrom(dialect.elements(p('states')).as('wanted')).select('wanted.value'),
    )
    .orderBy('d.created_at')
    .orderBy('d.id')
    .limit(p('limit')),
);
const pointer = query<{ project: string; environment: string; name: string }, PointerRow>((db, p) =>
  db
    .selectFrom('environment_pointers')
    .selectAll()
    .where('project_id', '=', p('project'))
    .where('environment', '=', p('environment'))
    .where('name', '=', p('name')),
);
const allPointers = query<object, PointerRow>((db) =>
  db
    .selectFrom('environment_pointers')
    .selectAll()
    .orderBy('project_id')
    .orderBy('environment')
    .orderBy('name'),
);
const pointersOf = query<{ project: string }, PointerRow>((db, p) =>
  db
    .selectFrom('environment_pointers')
    .selectAll()
    .where('project_id', '=', p('project'))
    .orderBy('environment')
    .orderBy('name'),
);
const host = query<{ host: string }, HostRow>((db, p) =>
  db.selectFrom('function_hosts').selectAll().where('host', '=', p('host')),
);
const hostsOf = query<{ project: string }, HostRow>((db, p) =>
  db
    .selectFrom('function_hosts')
    .selectAll()
    .where('project_id', '=', p('project'))
    .orderBy('host'),
);
const hostsOfDeployment = query<{ project: string; deployment: string }, HostRow>((db, p) =>
  db
    .selectFrom('function_hosts')
    .selectAll()
    .where('project_id', '=', p('project'))
    .where('deployment_id', '=', p('deployment'))
    .orderBy('host'),
);

const parsed = <T>(json: string | null): T | undefined =>
  json === null ? undefined : (JSON.parse(json) as T);

/** Codes of earlier versions: `no-such-image`. */
const toReason = (json: string | null): DeploymentReason | undefined => {
  const reason = parsed<DeploymentReason>(json);
  if (!reason || !/^[a-z]+(?:-[a-z]+)+$/.test(reason.code)) return reason;
  return { ...reason, code: reason.code.toUpperCase().replaceAll('-', '_') };
};

const toDeployment = (row: Row): Deployment => ({
  id: row.id,
  number: row.number,
  projectId: row.project_id,
  teamId: row.team_id,
  environment: row.environment as FunctionEnvironment,
  name: row.name,
  state: row.state as DeploymentState,
  reason: toReason(row.reason),
  snapshot: parsed<Snapshot>(row.snapshot),
  origin: JSON.parse(row.origin) as DeploymentOrigin,
  host: row.host,
  createdAt: row.created_at,
  createdBy: row.created_by,
  readyAt: row.ready_at ?? undefined,
});
const toPointer = (row: PointerRow): EnvironmentPointer => ({
  projectId: row.project_id,
  environment: row.environment as FunctionEnvironment,
  name: row.name,
  deploymentId: row.deployment_id ?? undefined,
  version: row.version,
  updatedAt: row.updated_at,
  updatedBy: row.updated_by,
});
const toHost = (row: HostRow): FunctionHost => ({
  host: row.host,
  custom: row.custom === 1,
  projectId: row.project_id,
  deploymentId: row.deployment_id ?? undefined,
  environment:
    row.environment === null || row.name === null
      ? undefined
      : { environment: row.environment as FunctionEnvironment, name: row.name },
  service: row.service ?? undefined,
});

export function deploymentsStore(db: Executor): Deployments {
  return {
    findById: (id) => then(byId.get(db, { id }), (row) => row && toDeployment(row)),
    page: ({ projectId: project, environment = null, state = null }, before, limit) =>
      then(
        page.all(db, {
          ...{ project, environment, state, limit },
          before: before ?? Number.MAX_SAFE_INTEGER,
        }),
        (rows) => rows.map(toDeployment),
      ),
    latestOf: ({ projectId: project, environment, name, serviceId: service }) =>
      then(
        latestOf.get(db, { project, environment, name, service }),
        (row) => row && toDeployment(row),
      ),
    prunable: async (rule, limit) => (await prunableRows(db, rule, limit)).map(toDeployment),
    inStates: (states, limit) =>
      then(inStates.all(db, { states: JSON.stringify(states), limit }), (rows) =>
        rows.map(toDeployment),
      ),
    pointer: (project, environment, name) =>
      then(pointer.get(db, { project, environment, name }), (row) => row && toPointer(row)),
    pointers: (project) =>
      then(
        project === undefined ? allPointers.all(db, {}) : pointersOf.all(db, { project }),
        (rows) => rows.map(toPointer),
      ),
    findHost: (name) => then(host.get(db, { host: name }), (row) => row && toHost(row)),
    hosts: (project, deployment) =>
      then(
        deployment === undefined
          ? hostsOf.all(db, { project })
          : hostsOfDeployment.all(db, { project, deployment }),
        (rows) => rows.map(toHost),
      ),
  };
}
