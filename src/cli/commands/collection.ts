import type { Command } from 'commander';
import type { CollectionState, CollectionSummary } from '../../projects/admin-methods.ts';
import { group, leaf, type Run, type Watch } from '../command.ts';
import { given } from '../given.ts';
import { Refused } from '../refused.ts';
import { table, time } from '../table.ts';
import { bytesText } from '../upkeep.ts';

type Plan = CollectionSummary['repositories'][number];
type Root = Plan['roots'][number];

/** What `--all` stands for. */
const all = { repositories: 100_000, roots: 10_000 };
const digits = 'sha256:'.length + 12;

export function addCollectionCommands(admin: Command, run: Run): void {
  const collection = group(
    admin,
    'collection',
    'what goes since nothing names it any more. It goes by itself; docs/collection.md',
  );

  leaf(
    collection,
    'dry-run',
    'what it would free, by repository: trees of deleted images, and loose blobs',
    'collection dry-run',
    'collection dry-run --repository acme/web/site --all',
  )
    .option('--repository <team/project/repository>', 'only this one')
    .option('--all', 'all repositories and trees, not the largest ten of each alone')
    .action(
      async ({
        repository,
        all: whole,
        json,
      }: {
        repository?: string;
        all?: true;
        json?: boolean;
      }) => {
        const params = { ...given({ repository }), ...(whole && all) };
        await run(given({ json }), 'collection.plan', params, showPlan);
      },
    );

  leaf(
    collection,
    'run',
    'collect now what nothing names, and say what that freed; pushes and pulls go on',
    'collection run',
    'collection run --no-wait',
  )
    .option('--no-wait', 'come back at once, while the server goes on')
    .action(async ({ wait, json }: { wait: boolean; json?: boolean }) => {
      const watch: Watch<CollectionState> = {
        ...{ always: true, everyMs: 300 },
        line: ({ state }) => (state === 'running' ? 'collecting …' : undefined),
        failed: ({ state }) => (state === 'failed' ? new Refused(failed) : undefined),
        again: ({ id }) => ({ method: 'collection.show', params: { run: id } }),
      };
      await run(given({ json }), 'collection.run', {}, showRun, wait ? watch : undefined);
    });

  leaf(
    collection,
    'show <run>',
    'what one that was begun by hand came to',
    'collection show col_019a…',
  ).action(async (id: string, options: { json?: boolean }) => {
    await run(options, 'collection.show', { run: id }, showRun);
  });

  leaf(
    collection,
    'runs',
    'the last runs that took something away, the newest first',
    'collection runs',
  ).action(async (options: { json?: boolean }) => {
    await run(options, 'collection.list', {}, ({ runs }) =>
      table(
        ['STARTED', 'LINKS', 'BLOBS', 'BYTES'],
        runs.map((one) => [
          ...[time(one.startedAt), String(one.links), String(one.blobs), bytesText(one.bytes)],
        ]),
        'None yet took anything away.',
      ),
    );
  });
}

const failed = {
  code: 'failed',
  message: 'The collection failed.',
  hint: 'The log says why. What it took away is collected; the next one goes on.',
};

function showRun({ id, state, run: done }: CollectionState): string {
  if (state === 'failed') return `${failed.message} ${failed.hint}\n`;
  if (!done) return `It runs. What it comes to: npx gantry admin collection show ${id}\n`;
  const { links, blobs } = done;
  if (links.collected + blobs.collected === 0) return 'There was nothing to collect.\n';
  return `Collected ${count(links.collected, 'link')} and ${count(blobs.collected, 'blob')}, ${bytesText(blobs.bytes)}. Bytes leave the store when GANTRY_COLLECT_DELAY is over.\n`;
}

function showPlan({ totals, repositories }: CollectionSummary): string {
  if (totals.repositories === 0) return 'Nothing would be freed.\n';
  const { roots, blobs, bytes, loose } = totals;
  const lines = [
    `${bytesText(bytes)} in ${count(blobs, 'blob')} of ${count(totals.repositories, 'repository', 'repositories')}:`,
    `  now    ${bytesText(loose.bytes)} in ${count(loose.blobs, 'blob')} that no image names`,
    `  later  ${bytesText(bytes - loose.bytes)} of ${count(roots, 'deleted image')}, when they can be restored no more`,
    ...repositories.flatMap(linesOf),
  ];
  const hidden = totals.repositories - repositories.length;
  if (hidden > 0) lines.push('', `${hidden} more repositories: --all`);
  return `${lines.join('\n')}\n`;
}

function linesOf(plan: Plan): string[] {
  const { loose, links, roots, rootCount } = plan;
  const lines = [
    '',
    `${plan.repository}  ${bytesText(plan.bytes)} in ${count(plan.blobs, 'blob')}`,
  ];
  if (loose.blobs > 0)
    lines.push(
      `  now: ${bytesText(loose.bytes)} in ${count(loose.blobs, 'blob')} that no image names`,
    );
  if (links > 0) lines.push(`  now: ${count(links, 'link')} to blobs that others keep`);
  for (const root of roots) lines.push(...treeOf(root));
  if (rootCount > roots.length) lines.push(`  ${rootCount - roots.length} more images: --all`);
  return lines;
}

function treeOf({ nodes, goesAt, bytes, shared, more }: Root): string[] {
  const also = shared > 0 ? `, and ${bytesText(shared)} with other images` : '';
  const lines = nodes.map((node) => {
    const name = node.tags.length > 0 ? `${node.tags.join(', ')}  ` : '';
    const what =
      node.platform ?? node.artifactType ?? (node.relation === 'root' ? '' : node.mediaType);
    const relation = node.relation === 'referrer' ? 'refers to it: ' : '';
    const text = `${relation}${name}${node.digest.slice(0, digits)}  ${what}`.trimEnd();
    const own =
      node.depth === 0
        ? `frees ${bytesText(bytes)}${also} at ${time(goesAt)}`
        : bytesText(node.bytes);
    return `${'  '.repeat(node.depth + 1)}${node.depth === 0 ? '' : '- '}${text}  ${own}`;
  });
  if (more > 0) lines.push(`    ${more} more`);
  return lines;
}

function count(of: number, one: string, many = `${one}s`): string {
  return `${of} ${of === 1 ? one : many}`;
}
