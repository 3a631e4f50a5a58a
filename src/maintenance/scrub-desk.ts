import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type {
  BlobFault,
  DamagedManifest,
  ScrubControl,
  ScrubRun,
  ScrubStatus,
  ScrubStore,
} from '../ports/scrub.ts';

export interface ScrubDeskDeps {
  readonly scrub: ScrubStore;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly rate: number;
  readonly intervalMs: number | undefined;
  /** There is something to read. */
  readonly wake: () => void;
}

const runsShown = 10;
const mostManifests = 1_000;

/** What people ask of the scrub, of any process, or of the data folder alone: the leader reads. */
export class ScrubDesk implements ScrubControl {
  readonly #deps: ScrubDeskDeps;

  constructor(deps: ScrubDeskDeps) {
    this.#deps = deps;
  }

  async status(): Promise<ScrubStatus> {
    const { scrub, clock, rate, intervalMs } = this.#deps;
    const runs = await scrub.runs(runsShown);
    const ended = await scrub.note('manifests-ended');
    return {
      ...{ rate, intervalMs },
      running: runs.find((run) => run.state === 'running'),
      runs: runs.filter((run) => run.state !== 'running'),
      coverage: await scrub.coverage(intervalMs === undefined ? 0 : clock.now() - intervalMs),
      counts: await scrub.counts(),
      manifestsEndedAt: ended === undefined ? undefined : Number(ended),
      storeFailure: await scrub.note('store-failure'),
    };
  }

  async run(id: string): Promise<ScrubRun | undefined> {
    return this.#deps.scrub.run(id);
  }

  async start(
    repository: { readonly id: string; readonly name: string } | undefined,
    actor: string,
  ): Promise<ScrubRun> {
    const { scrub, writer, clock, newId, wake } = this.#deps;
    const running = await scrub.running();
    if (running && running.repositoryId === repository?.id) return running;
    const run = await writer.run('StartScrub', {
      ...{ id: newId(), actor, now: clock.now() },
      ...{ repositoryId: repository?.id, repository: repository?.name },
    });
    wake();
    return run;
  }

  async cancel(id: string): Promise<boolean> {
    const { writer, clock } = this.#deps;
    const args = { id, state: 'cancelled', now: clock.now() } as const;
    return (await writer.run('EndScrub', args)).ended;
  }

  async faults(after: Digest | undefined, limit: number): Promise<BlobFault[]> {
    return this.#deps.scrub.faults(after, limit);
  }

  async damagedManifests(): Promise<DamagedManifest[]> {
    return this.#deps.scrub.damagedManifests(mostManifests);
  }
}
