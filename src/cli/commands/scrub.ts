import type { Command } from 'commander';
import type { AdminResult, ScrubRun } from '../../projects/admin-methods.ts';
import { group, leaf, type Run, type Watch, wholeNumber } from '../command.ts';
import { given } from '../given.ts';
import { fields, table, time } from '../table.ts';
import { bytesText as bytes } from '../upkeep.ts';

const barWidth = 24;

export function addScrubCommands(admin: Command, run: Run): void {
  const scrub = group(
    admin,
    'scrub',
    'reads what is stored anew and compares it with its digests; docs/scrub.md',
  );

  leaf(scrub, 'status', 'how far it is, and how much is damaged', 'scrub status').action(
    async (options: { json?: boolean }) => {
      await run(options, 'scrub.status', {}, showStatus);
    },
  );

  leaf(
    scrub,
    'start',
    'read all now, or one repository; in a terminal with a bar, until it is done',
    'scrub start',
    'scrub start --repository acme/web/site --wait --json',
  )
    .option('--repository <team/project/repository>', 'only what this one links')
    .option('--wait', 'come back when it is done, without a terminal, too; needs a running server')
    .action(
      async ({ repository, wait, json }: { repository?: string; wait?: true; json?: boolean }) => {
        const always = wait === true;
        const watch: Watch<ScrubRun> = {
          ...{ always, everyMs: 500, line: barOf },
          again: ({ id }) => ({ method: 'scrub.show', params: { run: id } }),
        };
        await run(given({ json }), 'scrub.start', given({ repository }), showRun, watch);
      },
    );

  leaf(scrub, 'show <run>', 'one that was started', 'scrub show scr_019a…').action(
    async (id: string, options: { json?: boolean }) => {
      await run(options, 'scrub.show', { run: id }, showRun);
    },
  );

  leaf(
    scrub,
    'cancel',
    'end the one that is under way; what it found stays',
    'scrub cancel',
  ).action(async (options: { json?: boolean }) => {
    await run(options, 'scrub.cancel', {}, ({ run: ended }) =>
      ended ? showRun(ended) : 'None is under way.\n',
    );
  });

  leaf(scrub, 'list', 'what is damaged or cannot be read, and in which repositories', 'scrub list')
    .option('--after <digest>', 'go on after this one')
    .option('--limit <n>', 'at most this many, up to 1000 (default: 100)', wholeNumber)
    .action(async ({ after, limit, json }: { after?: string; limit?: number; json?: boolean }) => {
      await run(given({ json }), 'scrub.list', given({ after, limit }), showFound);
    });
}

function showFound({ faults, manifests, next }: AdminResult<'scrub.list'>): string {
  const rows = [
    ...manifests.map((one) => [
      ...[one.digest, 'damaged manifest', '', time(one.foundAt), one.repositories.join(', ')],
    ]),
    ...faults.map((one) => [
      ...[one.digest, `${one.kind}: ${one.reason}`, bytes(one.size), time(one.foundAt)],
      one.repositories.join(', '),
    ]),
  ];
  const shown = table(
    ['DIGEST', 'WHAT', 'SIZE', 'FOUND', 'REPOSITORIES'],
    rows,
    'Nothing is damaged, as far as was read.',
  );
  return `${shown}${next === undefined ? '' : `\nMore: add --after ${next}\n`}`;
}

function showStatus(status: AdminResult<'scrub.status'>): string {
  const { coverage, counts, intervalMs, rate, running, runs, storeFailure } = status;
  const every =
    intervalMs === undefined ? 'only when asked' : `each blob every ${days(intervalMs)}`;
  const { oldest } = coverage;
  return fields({
    reads: `${every}, ${bytes(rate)}/s`,
    stored: `${coverage.blobs} blobs, ${bytes(coverage.bytes)}`,
    due: `${coverage.dueBlobs} blobs, ${bytes(coverage.dueBytes)}`,
    'all read since': oldest ? time(oldest) : '-',
    'manifests read': time(status.manifestsEndedAt),
    quarantined: String(counts.quarantined),
    unreadable: String(counts.unreadable),
    'damaged manifests': String(counts.manifests),
    'the store': storeFailure,
    'under way': running && barOf(running),
    'last run': runs[0] && lineOf(runs[0]),
  });
}

function showRun(run: ScrubRun): string {
  return fields({
    run: run.id,
    of: run.repository ?? 'all',
    state: run.state,
    started: time(run.startedAt),
    ended: run.endedAt === undefined ? undefined : time(run.endedAt),
    read: `${run.blobs} of ${run.total.blobs} blobs, ${bytes(run.bytes)} of ${bytes(run.total.bytes)}, ${run.manifests} manifests`,
    quarantined: String(run.quarantined),
    repaired: String(run.repaired),
    unreadable: String(run.unreadable),
  });
}

function lineOf(run: ScrubRun): string {
  const of = run.repository ?? 'all';
  const found = run.quarantined === 0 ? 'nothing damaged' : `${run.quarantined} damaged`;
  return `${of}, ${run.state} ${time(run.endedAt)}: ${run.blobs} blobs, ${bytes(run.bytes)}, ${found}`;
}

function barOf(run: ScrubRun): string | undefined {
  if (run.state !== 'running') return undefined;
  const { total } = run;
  const share = total.bytes === 0 ? 1 : Math.min(1, run.bytes / total.bytes);
  const full = Math.round(share * barWidth);
  const bar = `${'#'.repeat(full)}${'.'.repeat(barWidth - full)}`;
  return `[${bar}] ${Math.floor(share * 100)} %  ${bytes(run.bytes)} of ${bytes(total.bytes)}, ${run.quarantined} damaged`;
}

function days(ms: number): string {
  const day = 86_400_000;
  return ms % day === 0 ? `${ms / day} d` : `${Math.round(ms / 3_600_000)} h`;
}
