import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What figures of functions are by. */
export interface FunctionLabels {
  /** `team/project`. */
  readonly project: string;
  readonly environment: string;
  readonly service: string;
  readonly deployment: string;
}

/** What is true of one of them at the moment. */
export interface FunctionState {
  readonly labels: FunctionLabels;
  readonly inFlight: number;
  readonly instances: ReadonlyMap<string, number>;
  /** Bytes, of all its instances. */
  readonly memory: number;
}

const names = ['project', 'environment', 'service', 'deployment'] as const;
const classes = ['1xx', '2xx', '3xx', '4xx', '5xx', 'none'] as const;
const starts = ['nothing', 'image', 'created', 'frozen', 'failed'] as const;

const opened = new WeakMap<Registry, FunctionMetrics>();

/**
 * Figures of functions for Prometheus. A deployment is a set of labels, and each push makes one: so many have
 * figures as `most` says, and those whose last request is longest ago give theirs up (a counter that comes
 * back begins at 0, as after a restart).
 */
export class FunctionMetrics {
  readonly #requests: Counter<string>;
  readonly #errors: Counter<string>;
  readonly #seconds: Histogram<string>;
  readonly #queue: Histogram<string>;
  readonly #cpu: Counter<string>;
  readonly #starts: Counter<string>;
  readonly #dropped: Counter<string>;
  readonly #most: number;
  /** In the order of their last use. */
  readonly #known = new Map<string, FunctionLabels>();
  #states: () => Iterable<FunctionState> = () => [];

  /** One set for a registry, also where functions are opened again. */
  static of(registry: Registry): FunctionMetrics {
    const known = opened.get(registry) ?? new FunctionMetrics(registry);
    opened.set(registry, known);
    return known;
  }

  constructor(registry: Registry, most = 200) {
    this.#most = most;
    const registers = [registry];
    const counter = (name: string, help: string, more: readonly string[] = []) =>
      new Counter({ name, help, labelNames: [...names, ...more], registers });
    const histogram = (name: string, help: string) =>
      new Histogram({
        ...{ name, help, labelNames: names, registers },
        buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600],
      });
    this.#requests = counter(
      'gantry_function_requests_total',
      'Requests to functions, by class of status (none: the client left first).',
      ['status'],
    );
    this.#errors = counter(
      'gantry_function_errors_total',
      'Requests to functions that failed: 5xx, or answered by Gantry itself with an error.',
    );
    this.#seconds = histogram(
      'gantry_function_request_seconds',
      'Time from the request head to the end of the answer.',
    );
    this.#queue = histogram(
      'gantry_function_queue_seconds',
      'Time that requests waited for an instance.',
    );
    this.#cpu = counter('gantry_function_cpu_seconds_total', 'CPU time of instances.');
    this.#starts = counter(
      'gantry_function_cold_starts_total',
      'Starts of instances and thaws, by what they began from (failed: it never ran).',
      ['from'],
    );
    this.#dropped = new Counter({
      name: 'gantry_function_records_dropped_total',
      help: 'Records of functions that were lost: lines, requests, cold-starts, usage, and lines of sinks.',
      labelNames: ['what'],
      registers,
    });
    const gauge = (
      name: string,
      help: string,
      set: (to: Gauge<string>, state: FunctionState) => void,
      more: readonly string[] = [],
    ) =>
      new Gauge({
        ...{ name, help, labelNames: [...names, ...more], registers },
        collect: () => {
          const to = registry.getSingleMetric(name) as Gauge<string>;
          to.reset();
          let left = most;
          for (const state of this.#states()) if (left-- > 0) set(to, state);
        },
      });
    gauge('gantry_function_in_flight', 'Requests under way in instances.', (to, state) =>
      to.set({ ...state.labels }, state.inFlight),
    );
    gauge('gantry_function_memory_bytes', 'Memory of instances, as last seen.', (to, state) =>
      to.set({ ...state.labels }, state.memory),
    );
    gauge(
      'gantry_function_instances',
      'Instances, by state.',
      (to, { labels, instances }) => {
        for (const [state, count] of instances) to.set({ ...labels, state }, count);
      },
      ['state'],
    );
  }

  /** Asked at each collection; those that are used come first. */
  follow(states: () => Iterable<FunctionState>): void {
    this.#states = states;
  }

  request(
    labels: FunctionLabels,
    request: { status: number; failed: boolean; totalMs: number; queueMs: number },
  ): void {
    this.#use(labels);
    const kind = classes[Math.floor(request.status / 100) - 1] ?? 'none';
    this.#requests.inc({ ...labels, status: kind });
    if (request.failed) this.#errors.inc({ ...labels });
    this.#seconds.observe({ ...labels }, request.totalMs / 1000);
    this.#queue.observe({ ...labels }, request.queueMs / 1000);
  }

  start(labels: FunctionLabels, from: (typeof starts)[number]): void {
    this.#use(labels);
    this.#starts.inc({ ...labels, from });
  }

  cpu(labels: FunctionLabels, micros: number): void {
    this.#use(labels);
    this.#cpu.inc({ ...labels }, micros / 1e6);
  }

  dropped(what: string, count: number): void {
    if (count > 0) this.#dropped.inc({ what }, count);
  }

  #use(labels: FunctionLabels): void {
    const key = `${labels.deployment} ${labels.service}`;
    const isNew = !this.#known.delete(key);
    this.#known.set(key, labels);
    if (isNew && this.#known.size > this.#most) this.#forget(this.#known.keys().next().value!);
  }

  #forget(key: string): void {
    const labels = { ...this.#known.get(key)! };
    this.#known.delete(key);
    for (const status of classes) this.#requests.remove({ ...labels, status });
    for (const from of starts) this.#starts.remove({ ...labels, from });
    for (const metric of [this.#errors, this.#seconds, this.#queue, this.#cpu])
      metric.remove(labels);
  }
}
