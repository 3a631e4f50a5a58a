import { type Call, ok, type Route } from '../../route.ts';
import { list, object, time, toTime } from '../../schema.ts';
import { base, sees } from './views.ts';

export const deploymentRetentionRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: `${base}/deployment-retention`,
    operationId: 'getDeploymentRetention',
    tag: 'Deployments',
    summary: 'How long deployments are kept, and which go next.',
    description:
      'The newest of each service in each environment stay, and all that are younger than the time, what an environment runs, and what has an instance. What goes has no address any more, and cannot be rolled back to.',
    access: sees,
    replies: {
      200: {
        description: 'The rule of this installation, and the oldest that are over it.',
        schema: object(
          {
            newest: { type: 'integer', description: 'By service, ready and others; 0: all stay.' },
            keptForSeconds: { type: 'integer', description: 'For which every deployment stays.' },
            due: list(
              object({ id: { type: 'string' }, number: { type: 'integer' }, createdAt: time }),
            ),
          },
          { title: 'DeploymentRetention' },
        ),
      },
    },
    handle: showRetention,
  },
];

const dueShown = 100;

async function showRetention({ services, project }: Call) {
  const { keep, keepForMs } = services.functions?.pruning ?? { keep: 0, keepForMs: 0 };
  const rule = { keep, before: services.clock.now() - keepForMs, projectId: project.id };
  const rows = keep > 0 ? await services.metadata.deployments.prunable(rule, dueShown) : [];
  const live = new Set(
    services.functions?.instances(project.id).map(({ target }) => target.deploymentId),
  );
  const due = rows
    .filter(({ id }) => !live.has(id))
    .map(({ id, number, createdAt }) => ({ id, number, createdAt: toTime(createdAt) }));
  return ok({ newest: keep, keptForSeconds: Math.max(0, Math.floor(keepForMs / 1000)), due });
}
