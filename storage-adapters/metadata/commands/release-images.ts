import { refuse } from '../../../src/oci/errors.ts';
import { type Executor, query } from '../database.ts';
import { type DeploymentRow, underWay } from './deployment-rows.ts';
import { endDeployment } from './deployments.ts';

interface Image {
  repository: string;
  digest: string;
}
interface Live {
  id: string;
  number: number;
  environment: string;
  name: string;
}
const live = (all: boolean) =>
  query<Image, Live>((db, p) => {
    const rows = db
      .selectFrom('deployment_services as s')
      .innerJoin('environment_pointers as e', 'e.deployment_id', 's.deployment_id')
      .innerJoin('deployments as d', 'd.id', 's.deployment_id')
      .innerJoin('projects as own', 'own.id', 'd.project_id')
      .innerJoin('repositories as r', 'r.id', 's.repository_id')
      .innerJoin('projects as held', 'held.id', 'r.project_id')
      .select(['d.id', 'd.number', 'e.environment', 'e.name'])
      .where('s.repository_id', '=', p('repository'))
      // Who runs a public image of others does not keep them from deleting it.
      .whereRef('own.team_id', '=', 'held.team_id')
      .limit(1);
    return all ? rows : rows.where('s.digest', '=', p('digest'));
  });
const liveOfImage = live(false);
const liveOfRepository = live(true);
const held = (all: boolean) =>
  query<Image & { states: string }, DeploymentRow>((db, p, dialect) => {
    const rows = db
      .selectFrom('deployment_services as s')
      .innerJoin('deployments as d', 'd.id', 's.deployment_id')
      .selectAll('d')
      .distinct()
      .where('s.repository_id', '=', p('repository'))
      .where('d.state', 'in', (e) =>
        e.selectFrom(dialect.elements(p('states')).as('wanted')).select('wanted.value'),
      )
      .where((e) =>
        e.not(
          e.exists(
            e
              .selectFrom('environment_pointers as n')
              .select('n.name')
              .whereRef('n.deployment_id', '=', 'd.id'),
          ),
        ),
      );
    return all ? rows : rows.where('s.digest', '=', p('digest'));
  });
const heldOfImage = held(false);
const heldOfRepository = held(true);
const unbind = query<{ repository: string }>((db, p) =>
  db
    .updateTable('services')
    .set({ repository_id: null })
    .where('repository_id', '=', p('repository')),
);

/**
 * Before a manifest goes (`digest`), or a repository with all of them: rejects with `conflict` where an environment
 * of its own team runs it or, with `spare`, a deployment is about to. Deployments that are on their way with it fail, and those that only their own names lead to end.
 */
export async function releaseImages(
  tx: Executor,
  {
    repositoryId: repository,
    digest,
    spare = false,
  }: { repositoryId: string; digest: string | undefined; spare?: boolean },
  now: number,
): Promise<void> {
  const image = { repository, digest: digest ?? '' };
  const whole = digest === undefined;
  const running = await (whole ? liveOfRepository : liveOfImage).get(tx, image);
  if (running) throw inUse(running, digest);
  const states = JSON.stringify([...underWay, 'ready']);
  const rows = await (whole ? heldOfRepository : heldOfImage).all(tx, { ...image, states });
  for (const row of rows) {
    if (spare && (underWay as readonly string[]).includes(row.state)) {
      throw refuse('conflict', `The deployment ${row.id} is about to run the image.`);
    }
    await endDeployment(
      tx,
      row,
      {
        code: 'IMAGE_DELETED',
        message: `The image${digest ? ` ${digest}` : ''} was deleted from its repository.`,
        hint: 'Push it again.',
      },
      now,
    );
  }
  if (whole) await unbind.run(tx, { repository });
}

function inUse({ id, number, environment, name }: Live, digest: string | undefined) {
  const where = environment === 'production' ? 'production' : `the preview "${name}"`;
  return refuse(
    'conflict',
    `${digest ? `The image ${digest}` : 'An image of the repository'} is what ${where} runs (deployment ${number}, ${id}).`,
    'Deploy another image there first, or end that environment: DELETE /api/v1/teams/<team>/projects/<project>/environments/<environment>.',
    { deployment: id, environment, name },
  );
}
