import {
  AggregatorRegistry,
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  Registry,
} from 'prom-client';
import { ScrubMetrics } from './scrub-metrics.ts';

interface RouteMetrics {
  readonly total: Counter.Internal;
  readonly seconds: Histogram.Internal<string>;
}

/** Prometheus metrics. Labels are routes and outcomes, never names of teams, projects or images. */
export class Metrics {
  readonly registry = new Registry();
  readonly #requests: Counter<string>;
  readonly #duration: Histogram<string>;
  readonly #routes = new Map<string, RouteMetrics>();
  readonly #logins: Counter<string>;
  readonly bytesIn: Counter<string>;
  readonly bytesOut: Counter<string>;
  readonly collected: Counter<string>;
  readonly scrub: ScrubMetrics;
  readonly mounts: Counter<string>;
  readonly #deliveries: Counter<string>;
  readonly auditDropped: Counter<string>;
  /** Requests to the registry under way. */
  active = 0;
  /** What the other processes of this server have counted, as `scrape` has it. */
  others: (() => Promise<readonly object[]>) | undefined;

  constructor() {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.#requests = new Counter({
      name: 'gantry_http_requests_total',
      help: 'Requests answered, by route, method and status.',
      labelNames: ['route', 'method', 'status'],
      registers,
    });
    this.#duration = new Histogram({
      name: 'gantry_http_request_seconds',
      help: 'Time from the request head to the end of the answer.',
      labelNames: ['route', 'method'],
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600],
      registers,
    });
    this.#logins = new Counter({
      name: 'gantry_logins_total',
      help: 'Logins at the token endpoint, by kind of credential and result.',
      labelNames: ['kind', 'result'],
      registers,
    });
    this.bytesIn = new Counter({
      name: 'gantry_blob_bytes_received_total',
      help: 'Bytes of blobs received.',
      registers,
    });
    this.bytesOut = new Counter({
      name: 'gantry_blob_bytes_sent_total',
      help: 'Bytes of blobs sent, or redirected to the store.',
      labelNames: ['how'],
      registers,
    });
    this.collected = new Counter({
      name: 'gantry_collected_bytes_total',
      help: 'Bytes of blobs that were collected, since nothing named them.',
      registers,
    });
    this.scrub = new ScrubMetrics(registers);
    this.mounts = new Counter({
      name: 'gantry_blob_mounts_total',
      help: 'Requests to mount a blob, by result.',
      labelNames: ['result'],
      registers,
    });
    this.#deliveries = new Counter({
      name: 'gantry_webhook_attempts_total',
      help: 'Messages sent to webhooks, by what came of the delivery: delivered, pending (tried again), dead.',
      labelNames: ['state'],
      registers,
    });
    this.auditDropped = new Counter({
      name: 'gantry_audit_dropped_total',
      help: 'Audit records that were lost: the database did not take them.',
      registers,
    });
    const active = () => this.active;
    new Gauge({
      name: 'gantry_http_active_requests',
      help: 'Requests to the registry under way.',
      registers,
      collect() {
        this.set(active());
      },
    });
  }

  /** Looks labels up once a route, method and status: hashing them on each request costs more than counting. */
  observe(route: string, method: string, status: number, milliseconds: number): void {
    const key = `${route} ${method} ${status}`;
    let metrics = this.#routes.get(key);
    if (!metrics) {
      metrics = {
        total: this.#requests.labels(route, method, String(status)),
        seconds: this.#duration.labels(route, method),
      };
      this.#routes.set(key, metrics);
    }
    metrics.total.inc();
    metrics.seconds.observe(milliseconds / 1000);
  }

  /** In the text format of Prometheus: of all processes of this server, added up. */
  async text(): Promise<string> {
    if (!this.others) return this.registry.metrics();
    const all = [await this.scrape(), ...(await this.others())];
    return AggregatorRegistry.aggregate(all as never).metrics();
  }

  /** What this process has counted; crosses processes. */
  scrape(): Promise<object> {
    return this.registry.getMetricsAsJSON();
  }

  delivery(state: string): void {
    this.#deliveries.inc({ state });
  }

  login(kind: string, succeeded: boolean): void {
    this.#logins.inc({ kind, result: succeeded ? 'succeeded' : 'denied' });
  }
}

/** Of scrapes, what only grows, as one: a process that is gone must not make sums fall. */
export async function countsOf(scrapes: readonly object[]): Promise<object> {
  const counts = (scrapes as readonly { type: string }[][]).map((metrics) =>
    metrics.filter(({ type }) => type === 'counter' || type === 'histogram'),
  );
  return AggregatorRegistry.aggregate(counts as never).getMetricsAsJSON();
}
