import type { Logger } from '../../observability/logger.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FunctionLogLine } from '../../ports/commands-functions.ts';
import type { FunctionRecords } from '../../ports/function-records.ts';
import type { DeployedService } from '../../ports/functions.ts';
import type { RuntimeDriver, RuntimeLogLine } from '../../ports/runtime-driver.ts';
import type { ActivationTarget, RequestEnd, RequestObserver } from '../activation.ts';
import type { InstanceObserver, InstanceView } from '../instance.ts';
import { InFlight } from './in-flight.ts';
import { lineText } from './line-text.ts';
import { type FollowerTimes, LogFollower } from './log-follower.ts';
import type { RecordsObserver, RequestLeft } from './observers.ts';
import type { NewLine } from './recorder.ts';

export interface InstanceLogsDeps {
  /** Undefined while there is none: nothing is followed then. */
  readonly driver: () => Pick<RuntimeDriver, 'logs'> | undefined;
  readonly stored: Pick<FunctionRecords, 'lines'>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  /** Undefined: the line was dropped. */
  readonly record: (line: NewLine) => FunctionLogLine | undefined;
  /** Where the service sends its lines, beside. */
  readonly send: (target: ActivationTarget, line: FunctionLogLine) => void;
  /** Lines that bracket a request, by its service's contract. */
  readonly brackets: (
    service: DeployedService,
    requestId: string,
    phase: 'start' | 'end',
    durationMs?: number,
  ) => readonly string[];
  /** Lines a second of one instance. */
  readonly rate: number;
}

interface Watched {
  readonly target: ActivationTarget;
  readonly flight: InFlight;
  follower: LogFollower | undefined;
  /** End lines that wait for the lines of their request, which come a moment later. */
  readonly closing: Map<string, { readonly timer: NodeJS.Timeout; readonly write: () => void }>;
}

const endBracketMs = 100;
const knownLines = 1000;
const sweepMs = 10_000;
const over: readonly InstanceView['state'][] = ['terminated', 'dead', 'crash-backoff'];
const early: readonly InstanceView['state'][] = ['pending', 'pulling', 'starting'];
const mostOver = 2000;

/** What instances say: their lines, to whom they belong, and what happened to them. */
export class InstanceLogs implements RecordsObserver {
  readonly #deps: InstanceLogsDeps;
  readonly #times: Partial<FollowerTimes>;
  readonly #instances = new Map<string, Watched>();
  /** The last ones that have ended. */
  readonly #over = new Set<string>();
  readonly #finishing = new Set<Promise<void>>();
  readonly #sweeping: NodeJS.Timeout;
  #closed = false;

  constructor(deps: InstanceLogsDeps, times: Partial<FollowerTimes> = {}) {
    this.#deps = deps;
    this.#times = times;
    this.#sweeping = setInterval(() => {
      const now = deps.clock.now();
      for (const { flight } of this.#instances.values()) flight.sweep(now);
    }, sweepMs).unref();
  }

  changed({ view, runtime, exit, at }: Parameters<InstanceObserver['changed']>[0]): void {
    if (this.#closed) return;
    const { instanceId, target, state } = view;
    let watched = this.#instances.get(instanceId);
    if (!watched) {
      // Its end is told of more than once, by each of its last states.
      if (over.includes(state) && (runtime === undefined || this.#over.has(instanceId))) return;
      watched = { target, flight: new InFlight(), follower: undefined, closing: new Map() };
      this.#instances.set(instanceId, watched);
    }
    // One that is only made yet has no lines to follow.
    const ran = runtime?.state !== 'created' || !early.includes(state);
    if (runtime && ran) {
      watched.follower ??= this.#follow(instanceId, watched, runtime.id);
    }
    if (!over.includes(state)) return;
    this.#instances.delete(instanceId);
    this.#over.add(instanceId);
    if (this.#over.size > mostOver) this.#over.delete(this.#over.values().next().value!);
    const ending = this.#end(instanceId, watched, { at, exit, reason: view.reason });
    this.#finishing.add(ending);
    void ending.finally(() => this.#finishing.delete(ending));
  }

  pulled(): void {}

  started({ target, requestId, instanceId, at }: Parameters<RequestObserver['started']>[0]): void {
    const watched = this.#instances.get(instanceId);
    watched?.flight.started(requestId, at);
    this.#bracket(instanceId, target, requestId, at, 'start');
  }

  left({ instanceId, requestId, at }: RequestLeft): void {
    this.#instances.get(instanceId)?.flight.ended(requestId, at);
  }

  ended({ target, requestId, instanceId, totalMs }: RequestEnd, at: number): void {
    if (instanceId === undefined) return;
    const watched = this.#instances.get(instanceId);
    const { brackets } = this.#deps;
    if (brackets(target.service, requestId, 'end', totalMs).length === 0) return;
    const write = () => {
      watched?.closing.delete(requestId);
      this.#bracket(instanceId, target, requestId, at, 'end', totalMs);
    };
    if (!watched || this.#closed) {
      write();
      return;
    }
    watched.closing.set(requestId, { timer: setTimeout(write, endBracketMs).unref(), write });
  }

  /** A line of Gantry's own about an instance. */
  note(instanceId: string, target: ActivationTarget, text: string, at: number): void {
    this.#take(instanceId, target, { at, stream: 'system', text }, []);
  }

  /** Reads what there is yet, and follows no more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeping);
    const open = [...this.#instances.values()];
    for (const watched of open) this.#closeBrackets(watched);
    await Promise.all([...open.map(({ follower }) => follower?.close()), ...this.#finishing]);
    this.#instances.clear();
  }

  #follow(instanceId: string, watched: Watched, id: string): LogFollower | undefined {
    const { driver, clock, rate } = this.#deps;
    const runs = driver();
    if (!runs) return undefined;
    const { target, flight } = watched;
    return new LogFollower(
      {
        ...{ driver: runs, clock, rate },
        line: ({ at, stream, text }) => {
          const moment = Math.min(at, clock.now());
          this.#take(instanceId, target, { at: moment, stream, text }, flight.at(moment));
        },
        notice: (text) => this.note(instanceId, target, text, clock.now()),
      },
      id,
      () => this.#known(instanceId, target.projectId),
      this.#times,
    );
  }

  /** What was kept of it before this process began. */
  async #known(instanceId: string, projectId: string): Promise<RuntimeLogLine[]> {
    const scope = { projectId, instanceId };
    const lines = await this.#deps.stored.lines(scope, { before: undefined }, knownLines);
    return lines.flatMap(({ at, stream, text }) =>
      stream === 'system' ? [] : [{ at, stream, text }],
    );
  }

  async #end(
    instanceId: string,
    watched: Watched,
    end: {
      at: number;
      reason: string | undefined;
      exit: Parameters<InstanceObserver['changed']>[0]['exit'];
    },
  ): Promise<void> {
    await watched.follower?.finish();
    this.#closeBrackets(watched);
    const { exit } = end;
    const how = [
      ...(exit ? [`exit code ${exit.code}`] : []),
      ...(exit?.outOfMemory ? ['out of memory'] : []),
      ...(exit?.killed ? ['killed after its grace ran out'] : []),
      ...(end.reason ? [end.reason] : []),
    ];
    if (how.length === 0) return;
    this.note(
      instanceId,
      watched.target,
      `[gantry] The instance ended: ${how.join('; ')}.`,
      end.at,
    );
  }

  #closeBrackets({ closing }: Watched): void {
    for (const { timer, write } of [...closing.values()]) {
      clearTimeout(timer);
      write();
    }
  }

  #bracket(
    instanceId: string,
    target: ActivationTarget,
    requestId: string,
    at: number,
    phase: 'start' | 'end',
    durationMs?: number,
  ): void {
    for (const text of this.#deps.brackets(target.service, requestId, phase, durationMs)) {
      this.#take(instanceId, target, { at, stream: 'system', text }, [requestId]);
    }
  }

  #take(
    instanceId: string,
    target: ActivationTarget,
    line: Pick<NewLine, 'at' | 'stream' | 'text'>,
    requestIds: readonly string[],
  ): void {
    const { record, send } = this.#deps;
    const kept = record({
      ...{ projectId: target.projectId, deploymentId: target.deploymentId },
      ...{ service: target.service.name, instanceId, at: line.at, stream: line.stream },
      ...{ text: lineText(line.text), requestIds },
    });
    if (kept) send(target, kept);
  }
}
