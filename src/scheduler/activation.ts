import type { Dispatcher } from 'undici';
import type { DeployedService, FunctionEnvironment } from '../ports/functions.ts';
import type { Contract, ContractPlace, RoleCredentials } from './contracts/contract.ts';

/** One service of one deployment: what instances are made for. */
export interface ActivationTarget {
  readonly deploymentId: string;
  readonly teamId: string;
  readonly teamSlug: string;
  readonly projectId: string;
  readonly projectSlug: string;
  readonly environment: FunctionEnvironment;
  /** Where clients reach the deployment itself: `label.domain`, with its port where they need one. */
  readonly host: string;
  readonly service: DeployedService;
}

export interface ActivationRequest {
  /** `x-gantry-id`. */
  readonly id: string;
  /** Of the client's connection: a request that nobody waits for leaves the queue. */
  readonly signal: AbortSignal;
}

/** A place in an instance for one request. `release` has to be called, whatever happens. */
export interface InstanceLease {
  readonly instanceId: string;
  /** `http://<address>:<port>`. */
  readonly origin: string;
  readonly address: string;
  readonly port: number;
  /** Connections to this instance alone. */
  readonly dispatcher: Dispatcher;
  readonly contract: Contract;
  readonly place: ContractPlace;
  readonly credentials: RoleCredentials;
  /** Milliseconds; `start` is there where this request waited for a start or a thaw. */
  readonly queuedMs: number;
  readonly start: StartStages | undefined;
  /** How the request ended. `broken`: the instance could not be reached, so it is looked at. */
  release(outcome: { readonly broken?: boolean }): void;
}

/** What a cold answer's Server-Timing says, in milliseconds. */
export interface StartStages {
  readonly from: 'nothing' | 'image' | 'created' | 'frozen';
  readonly queue: number;
  readonly pull: number;
  readonly create: number;
  readonly boot: number;
}

/** Why a request gets no instance: an answer in JSON, or in the contract's words. */
export class ActivationError extends Error {
  readonly status: 429 | 502 | 503 | 504;
  readonly code: string;
  readonly hint: string;
  readonly retryAfterSeconds: number | undefined;
  /** The contract's own answer, where it has one. */
  readonly answer:
    | {
        readonly status: number;
        readonly headers: Readonly<Record<string, string>>;
        readonly body: string;
      }
    | undefined;

  constructor(info: {
    status: 429 | 502 | 503 | 504;
    code: string;
    message: string;
    hint: string;
    retryAfterSeconds?: number;
    answer?: ActivationError['answer'];
  }) {
    super(info.message);
    this.status = info.status;
    this.code = info.code;
    this.hint = info.hint;
    this.retryAfterSeconds = info.retryAfterSeconds;
    this.answer = info.answer;
  }
}

/** What the gateway asks of the scheduler. */
export interface Activator {
  /** Waits in the target's queue while instances start. Rejects with `ActivationError`. */
  acquire(target: ActivationTarget, request: ActivationRequest): Promise<InstanceLease>;
}

/** Told of each request as it happens: logs, metrics, metering and the ledger listen. */
export interface RequestObserver {
  /** Placed on an instance. */
  started(event: {
    readonly target: ActivationTarget;
    readonly requestId: string;
    readonly instanceId: string;
    readonly at: number;
  }): void;
  ended(event: RequestEnd): void;
}

export interface RequestEnd {
  readonly target: ActivationTarget;
  readonly requestId: string;
  readonly instanceId: string | undefined;
  /** When its head came (UTC milliseconds): it ended `totalMs` later. */
  readonly at: number;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly status: number;
  readonly error: string | undefined;
  readonly start: StartStages | undefined;
  readonly queueMs: number;
  readonly firstByteMs: number;
  readonly totalMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}
