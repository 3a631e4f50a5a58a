import type { Deployments } from '../../../src/ports/functions.ts';
import { type Executor, query } from '../database.ts';
import type { FunctionSchema } from '../schema-functions.ts';

type DeploymentColumns = FunctionSchema['deployments'] & { team_id: string };

/** Deployments of one read: others are let through between two. */
const looked = 500;

type Key = Pick<
  FunctionSchema['deployments'],
  'project_id' | 'environment' | 'name' | 'service_id'
>;
interface Candidate extends Key {
  id: string;
  number: number;
  created_at: number;
  ready: number;
  /** Of a preview that was ended. */
  ended: number;
  runs: string | null;
}
interface PageArgs {
  before: number;
  createdAt: number;
  id: string;
  project: string;
  limit: number;
}
/** The oldest first, in any state; what an environment points at is told with it. */
const candidates = (ofProject: boolean) =>
  query<PageArgs, Candidate & { state: string }>((db, p) => {
    const rows = db
      .selectFrom('deployments as d')
      .leftJoin('environment_pointers as e', (join) =>
        join
          .onRef('e.project_id', '=', 'd.project_id')
          .onRef('e.environment', '=', 'd.environment')
          .onRef('e.name', '=', 'd.name'),
      )
      .select(['d.id', 'd.number', 'd.created_at', 'd.state', 'd.project_id', 'd.environment'])
      .select(['d.name', 'd.service_id'])
      .select((x) => [
        x.case().when('d.state', '=', 'ready').then(1).else(0).end().as('ready'),
        x
          .case()
          .when(x.and([x('d.environment', '=', 'preview'), x('e.deployment_id', 'is', null)]))
          .then(1)
          .else(0)
          .end()
          .as('ended'),
        x
          .selectFrom('environment_pointers as n')
          .select('n.name')
          .whereRef('n.deployment_id', '=', 'd.id')
          .limit(1)
          .as('runs'),
      ])
      .where('d.created_at', '<', p('before'))
      .where((x) => x(x.refTuple('d.created_at', 'd.id'), '>', x.tuple(p('createdAt'), p('id'))))
      .orderBy('d.created_at')
      .orderBy('d.id')
      .limit(p('limit'));
    return (ofProject ? rows.where('d.project_id', '=', p('project')) : rows) as never;
  });
const ofAll = candidates(false);
const ofOne = candidates(true);

interface CutArgs {
  project: string;
  environment: string;
  name: string;
  service: string | null;
  ready: number;
  skipped: number;
}
/** The oldest number that stays for its place: of a service in an environment, those that are ready apart. */
const oldestKept = (ofService: boolean) =>
  query<CutArgs, { number: number }>((db, p) => {
    const rows = db
      .selectFrom('deployments')
      .select('number')
      .where('project_id', '=', p('project'))
      .where('environment', '=', p('environment'))
      .where('name', '=', p('name'))
      .where((x) => x(x.case().when('state', '=', 'ready').then(1).else(0).end(), '=', p('ready')))
      .orderBy('number', 'desc')
      .limit(1)
      .offset(p('skipped'));
    // Apart, since an index is not asked for what may be null.
    return ofService
      ? rows.where('service_id', '=', p('service'))
      : rows.where('service_id', 'is', null);
  });
const oldestOfService = oldestKept(true);
const oldestOfNone = oldestKept(false);

const named = query<{ ids: string }, DeploymentColumns>((db, p, dialect) =>
  db
    .selectFrom('deployments as d')
    .innerJoin('projects as p', 'p.id', 'd.project_id')
    .selectAll('d')
    .select('p.team_id')
    .where('d.id', 'in', (e) =>
      e.selectFrom(dialect.elements(p('ids')).as('wanted')).select('wanted.value'),
    )
    .orderBy('d.created_at')
    .orderBy('d.id'),
);

const settled = ['ready', 'failed', 'superseded', 'deleted'];

/**
 * As `Deployments.prunable`, by ranges of indexes: the oldest in their order until enough are found, each held against
 * the oldest number that is kept of its like, which is asked once.
 */
export async function prunableRows(
  db: Executor,
  { before, keep, projectId }: Parameters<Deployments['prunable']>[0],
  limit: number,
): Promise<DeploymentColumns[]> {
  const cuts = new Map<string, number>();
  const cutOf = async ({ project_id: project, environment, name, ...row }: Candidate) => {
    if (keep < 1) return Number.MAX_SAFE_INTEGER;
    const { service_id: service, ready } = row;
    const key = JSON.stringify([project, environment, name, service, ready]);
    const known = cuts.get(key);
    if (known !== undefined) return known;
    const oldest = service === null ? oldestOfNone : oldestOfService;
    const args = { project, environment, name, service, ready, skipped: keep - 1 };
    const cut = (await oldest.get(db, args))?.number ?? 0;
    cuts.set(key, cut);
    return cut;
  };
  const found: string[] = [];
  const page = projectId === undefined ? ofAll : ofOne;
  const args = { before, project: projectId ?? '', limit: looked };
  for (let at = { createdAt: -1, id: '' }; ; ) {
    const rows = await page.all(db, { ...args, ...at });
    for (const row of rows) {
      if (found.length === limit) break;
      if (!settled.includes(row.state) || row.runs !== null) continue;
      if (row.ended === 1 || row.number < (await cutOf(row))) found.push(row.id);
    }
    const last = rows.at(-1);
    if (found.length === limit || !last || rows.length < looked) break;
    at = { createdAt: last.created_at, id: last.id };
    await new Promise((resolve) => setImmediate(resolve));
  }
  return await named.all(db, { ids: JSON.stringify(found) });
}
