import type { ColdStart, RequestRecord } from '../../ports/commands-functions.ts';
import type { ActivationTarget, RequestEnd, StartStages } from '../activation.ts';
import type { InstanceObserver } from '../instance.ts';
import type { RecordsObserver } from './observers.ts';

export interface RequestLogDeps {
  readonly request: (record: RequestRecord) => void;
  readonly coldStart: (start: ColdStart, target: ActivationTarget) => void;
}

/** Characters of a path, and of a host, that are kept. */
const mostPath = 1024;
const mostHost = 255;

/** A start that nobody's request told the stages of yet. */
interface Open {
  readonly at: number;
  readonly target: ActivationTarget;
  readonly stages: StartStages;
}

/** What is known of an instance. */
interface Way {
  readonly target: ActivationTarget;
  /** When it was first told of, when its container was made, and when that began to start. */
  readonly since: number;
  createdAt: number | undefined;
  startingAt: number | undefined;
  pullMs: number;
  /** Since it is up, until its first request ends. */
  open: Open | undefined;
  /** Its last thaw is in the ledger: many may have waited for it. */
  thawTold: boolean;
}

/** Keeps each request, and the stages of each start. */
export class RequestLog implements RecordsObserver {
  readonly #deps: RequestLogDeps;
  readonly #ways = new Map<string, Way>();

  constructor(deps: RequestLogDeps) {
    this.#deps = deps;
  }

  changed({ view, from, at, runtime }: Parameters<InstanceObserver['changed']>[0]): void {
    const { instanceId, target, state, reason } = view;
    const way = this.#way(instanceId, target, at);
    if (runtime) way.createdAt ??= at;
    switch (state) {
      case 'starting':
        way.startingAt ??= at;
        return;
      case 'idle':
      case 'running':
        if (from === 'starting') way.open = { at, target, stages: stagesOf(way, at) };
        return;
      case 'frozen':
        way.thawTold = false;
        this.#close(instanceId, way);
        return;
      case 'dead':
      case 'crash-backoff':
        if (from === 'starting' || from === 'pulling' || from === 'pending') {
          const failed = { at, target, stages: stagesOf(way, at) };
          this.#record(instanceId, failed, undefined, reason ?? 'It did not start.');
        }
        this.#forget(instanceId, way);
        return;
      case 'terminated':
        this.#forget(instanceId, way);
    }
  }

  pulled(event: Parameters<InstanceObserver['pulled']>[0]): void {
    const { instanceId, target, from, to, cached } = event;
    if (instanceId === undefined || cached) return;
    this.#way(instanceId, target, from).pullMs = Math.max(0, to - from);
  }

  started(): void {}

  left(): void {}

  ended(event: RequestEnd): void {
    const { target, requestId, instanceId, at, start, error } = event;
    const [totalMs, queueMs, firstByteMs] = [event.totalMs, event.queueMs, event.firstByteMs].map(
      rounded,
    ) as [number, number, number];
    this.#deps.request({
      id: requestId,
      ...{ projectId: target.projectId, deploymentId: target.deploymentId },
      ...{ service: target.service.name, instanceId, at: Math.round(at) },
      method: event.method.slice(0, 32),
      host: event.host.slice(0, mostHost),
      path: pathOf(event.path),
      ...{ status: event.status, error, cold: start !== undefined },
      ...{ queueMs, firstByteMs, totalMs },
      ...{ requestBytes: event.requestBytes, responseBytes: event.responseBytes },
    });
    if (instanceId === undefined) return;
    const way = this.#ways.get(instanceId);
    const appMs = start && rounded(Math.max(0, firstByteMs - queueMs));
    if (start?.from === 'frozen') {
      if (way?.thawTold) return;
      if (way) way.thawTold = true;
      const thawedAt = Math.round(at + queueMs);
      this.#record(instanceId, { at: thawedAt, target, stages: start }, appMs, undefined);
    } else if (way?.open) {
      const { open } = way;
      way.open = undefined;
      this.#record(instanceId, { ...open, stages: start ?? open.stages }, appMs, undefined);
    }
  }

  /** What is known of starts whose first request has not ended is kept, too. */
  close(): void {
    for (const [instanceId, way] of this.#ways) this.#close(instanceId, way);
    this.#ways.clear();
  }

  #way(instanceId: string, target: ActivationTarget, at: number): Way {
    let way = this.#ways.get(instanceId);
    if (!way) {
      const unknown = { createdAt: undefined, startingAt: undefined, open: undefined };
      way = { target, since: at, ...unknown, pullMs: 0, thawTold: false };
      this.#ways.set(instanceId, way);
    }
    return way;
  }

  #forget(instanceId: string, way: Way): void {
    this.#close(instanceId, way);
    this.#ways.delete(instanceId);
  }

  #close(instanceId: string, way: Way): void {
    const { open } = way;
    way.open = undefined;
    if (open) this.#record(instanceId, open, undefined, undefined);
  }

  #record(
    instanceId: string,
    { at, target, stages }: Open,
    appMs: number | undefined,
    error: string | undefined,
  ): void {
    const start: ColdStart = {
      ...{ instanceId, projectId: target.projectId, deploymentId: target.deploymentId },
      ...{ service: target.service.name, digest: target.service.digest, at, from: stages.from },
      ...{ queueMs: rounded(stages.queue), pullMs: rounded(stages.pull) },
      ...{ createMs: rounded(stages.create), bootMs: rounded(stages.boot), appMs, error },
    };
    this.#deps.coldStart(start, target);
  }
}

function stagesOf({ since, createdAt, startingAt, pullMs }: Way, at: number): StartStages {
  const starting = startingAt ?? at;
  return {
    ...{ from: pullMs > 0 ? 'nothing' : 'image', queue: 0, pull: pullMs },
    create: Math.max(0, Math.min(createdAt ?? starting, starting) - since - pullMs),
    boot: Math.max(0, at - starting),
  };
}

const rounded = (ms: number): number => Math.round(ms * 100) / 100;

/** Queries hold tokens and names of people: they are not kept. */
function pathOf(path: string): string {
  const end = path.search(/[?#]/);
  return (end < 0 ? path : path.slice(0, end)).slice(0, mostPath);
}
