import type {
  FunctionLabels,
  FunctionMetrics,
  FunctionState,
} from '../../observability/function-metrics.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ActivationTarget, RequestEnd, RequestObserver } from '../activation.ts';
import type { InstanceObserver, InstanceState } from '../instance.ts';
import { Latencies } from './latencies.ts';
import type { RecordsObserver, RequestLeft } from './observers.ts';

/** Figures of one service of one deployment over some minutes, and what is true of it now. */
export interface ServiceFigures {
  readonly deploymentId: string;
  readonly service: string;
  readonly environment: string;
  readonly requests: number;
  readonly errors: number;
  readonly coldStarts: number;
  readonly latency: ReturnType<Latencies['summary']>;
  readonly queue: ReturnType<Latencies['summary']>;
  /** Milliseconds. */
  readonly cpu: number;
  readonly mostConcurrent: number;
  readonly now: {
    readonly inFlight: number;
    readonly instances: Readonly<Record<string, number>>;
    /** Bytes. */
    readonly memory: number;
  };
}

interface Minute {
  readonly at: number;
  requests: number;
  errors: number;
  coldStarts: number;
  cpuMicros: number;
  mostConcurrent: number;
  readonly latency: Latencies;
  readonly queue: Latencies;
}

interface Figures {
  readonly target: ActivationTarget;
  readonly labels: FunctionLabels;
  readonly instances: Map<
    string,
    { state: InstanceState; inFlight: number; memory: number; cpuMicros: number | undefined }
  >;
  inFlight: number;
  minutes: Minute[];
}

export const mostMinutes = 60;
/** Services of deployments whose figures are kept; those that were used longest ago go first. */
const mostKept = 1000;
const over: readonly InstanceState[] = ['terminated', 'dead'];

/** Adds up, for Prometheus and for the API, what is told of instances and requests. In memory: since the start. */
export class FunctionFigures implements RecordsObserver {
  readonly #clock: Clock;
  readonly #metrics: FunctionMetrics;
  /** In the order of their last use. */
  readonly #kept = new Map<string, Figures>();

  constructor({ clock, metrics }: { clock: Clock; metrics: FunctionMetrics }) {
    this.#clock = clock;
    this.#metrics = metrics;
    metrics.follow(() => this.#states());
  }

  changed({ view }: Parameters<InstanceObserver['changed']>[0]): void {
    const figures = this.#of(view.target);
    const { instances } = figures;
    const known = instances.get(view.instanceId);
    if (over.includes(view.state)) {
      figures.inFlight -= known?.inFlight ?? 0;
      instances.delete(view.instanceId);
    } else if (known) known.state = view.state;
    else {
      const none = { inFlight: 0, memory: 0, cpuMicros: undefined };
      instances.set(view.instanceId, { state: view.state, ...none });
    }
  }

  pulled(): void {}

  started({ target, instanceId }: Parameters<RequestObserver['started']>[0]): void {
    const figures = this.#of(target);
    const instance = figures.instances.get(instanceId);
    if (instance) {
      instance.inFlight += 1;
      figures.inFlight += 1;
    }
    const minute = this.#minute(figures);
    minute.mostConcurrent = Math.max(minute.mostConcurrent, figures.inFlight);
  }

  left({ target, instanceId }: RequestLeft): void {
    const figures = this.#of(target);
    const instance = figures.instances.get(instanceId);
    if (!instance || instance.inFlight === 0) return;
    instance.inFlight -= 1;
    figures.inFlight -= 1;
  }

  ended({ target, status, error, start, totalMs, queueMs }: RequestEnd): void {
    const figures = this.#of(target);
    const failed = error !== undefined || status >= 500;
    const minute = this.#minute(figures);
    minute.requests += 1;
    if (failed) minute.errors += 1;
    if (start) minute.coldStarts += 1;
    minute.latency.add(totalMs);
    minute.queue.add(queueMs);
    this.#metrics.request(figures.labels, { status, failed, totalMs, queueMs });
  }

  /** An instance was looked at. */
  seen(
    target: ActivationTarget,
    instanceId: string,
    now: { cpuMicros: number; memory: number },
  ): void {
    const figures = this.#of(target);
    const instance = figures.instances.get(instanceId);
    if (!instance) return;
    const used = Math.max(0, now.cpuMicros - (instance.cpuMicros ?? now.cpuMicros));
    instance.cpuMicros = now.cpuMicros;
    instance.memory = now.memory;
    this.#minute(figures).cpuMicros += used;
    this.#metrics.cpu(figures.labels, used);
  }

  coldStart(target: ActivationTarget, from: Parameters<FunctionMetrics['start']>[1]): void {
    this.#metrics.start(this.#of(target).labels, from);
  }

  /** Of a project, by service and deployment, those that were used last first. */
  of(projectId: string, minutes: number): ServiceFigures[] {
    const since = this.#clock.now() - minutes * 60_000;
    return [...this.#kept.values()]
      .reverse()
      .filter(({ target }) => target.projectId === projectId)
      .map((figures) => sumOf(figures, since));
  }

  #of(target: ActivationTarget): Figures {
    const key = `${target.deploymentId} ${target.service.name}`;
    let figures = this.#kept.get(key);
    if (figures) this.#kept.delete(key);
    else {
      const labels = {
        project: `${target.teamSlug}/${target.projectSlug}`,
        ...{ environment: target.environment, service: target.service.name },
        deployment: target.deploymentId,
      };
      figures = { target, labels, instances: new Map(), inFlight: 0, minutes: [] };
    }
    this.#kept.set(key, figures);
    if (this.#kept.size > mostKept) this.#forgetOne();
    return figures;
  }

  /** The one that was used longest ago, of those that have no instance. */
  #forgetOne(): void {
    for (const [key, { instances }] of this.#kept) {
      if (instances.size > 0) continue;
      this.#kept.delete(key);
      return;
    }
  }

  #minute(figures: Figures): Minute {
    const at = Math.floor(this.#clock.now() / 60_000) * 60_000;
    const last = figures.minutes.at(-1);
    if (last && last.at >= at) return last;
    const minute: Minute = {
      ...{ at, requests: 0, errors: 0, coldStarts: 0, cpuMicros: 0 },
      ...{ mostConcurrent: figures.inFlight, latency: new Latencies(), queue: new Latencies() },
    };
    figures.minutes = [...figures.minutes.slice(1 - mostMinutes), minute];
    return minute;
  }

  *#states(): Iterable<FunctionState> {
    for (const { labels, inFlight, instances } of [...this.#kept.values()].reverse()) {
      if (instances.size === 0) continue;
      const all = [...instances.values()];
      yield {
        ...{ labels, inFlight, instances: countOf(all.map(({ state }) => state)) },
        memory: all.reduce((sum, { memory }) => sum + memory, 0),
      };
    }
  }
}

function countOf(states: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

function sumOf({ target, instances, inFlight, minutes }: Figures, since: number): ServiceFigures {
  const latency = new Latencies();
  const queue = new Latencies();
  const sum = { requests: 0, errors: 0, coldStarts: 0, cpuMicros: 0, mostConcurrent: inFlight };
  for (const minute of minutes) {
    if (minute.at + 60_000 <= since) continue;
    sum.requests += minute.requests;
    sum.errors += minute.errors;
    sum.coldStarts += minute.coldStarts;
    sum.cpuMicros += minute.cpuMicros;
    sum.mostConcurrent = Math.max(sum.mostConcurrent, minute.mostConcurrent);
    latency.addAll(minute.latency);
    queue.addAll(minute.queue);
  }
  const all = [...instances.values()];
  return {
    ...{ deploymentId: target.deploymentId, service: target.service.name },
    ...{ environment: target.environment, requests: sum.requests, errors: sum.errors },
    ...{ coldStarts: sum.coldStarts, mostConcurrent: sum.mostConcurrent },
    ...{
      latency: latency.summary(),
      queue: queue.summary(),
      cpu: Math.round(sum.cpuMicros / 1000),
    },
    now: {
      inFlight,
      instances: Object.fromEntries(countOf(all.map(({ state }) => state))),
      memory: all.reduce((total, { memory }) => total + memory, 0),
    },
  };
}
