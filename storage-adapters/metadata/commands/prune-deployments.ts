import { query } from '../database.ts';
import type { Command } from './command.ts';
import { findDeployment, pointsAt, underWay } from './deployment-rows.ts';

const removals = [
  query<{ id: string }>((db, p) =>
    db.deleteFrom('deployment_services').where('deployment_id', '=', p('id')),
  ),
  query<{ id: string }>((db, p) =>
    db.deleteFrom('function_hosts').where('deployment_id', '=', p('id')),
  ),
  query<{ id: string }>((db, p) => db.deleteFrom('deployments').where('id', '=', p('id'))),
];

export const pruneDeployments: Command<'PruneDeployments'> = async (tx, { ids }) => {
  const removed: string[] = [];
  for (const id of ids) {
    const row = await findDeployment.get(tx, { id });
    if (!row || underWay.some((state) => state === row.state)) continue;
    // Rolled back to since it was chosen.
    if (await pointsAt.get(tx, { deployment: id })) continue;
    for (const removal of removals) await removal.run(tx, { id });
    removed.push(id);
  }
  return { removed };
};
