import type { ContractName, DeployedService, FunctionEnvironment } from '../../ports/functions.ts';

/** Of an answer that Gantry makes itself. */
export interface ContractAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Where a request runs, for what contracts tell the container. */
export interface ContractPlace {
  readonly service: DeployedService;
  readonly teamId: string;
  readonly teamSlug: string;
  readonly projectId: string;
  readonly projectSlug: string;
  readonly deploymentId: string;
  readonly environment: FunctionEnvironment;
  /** Where clients reach the deployment itself: `label.domain`, with its port where they need one. */
  readonly host: string;
  readonly instanceId: string;
  /** A label of the installation. */
  readonly region: string;
  /** Bytes, of the machine type. */
  readonly memory: number;
  readonly port: number;
}

/** Tokens of the instance's identity, fresh. */
export interface RoleCredentials {
  /** A JWT of the environment, as `GANTRY_OIDC_TOKEN` has it. */
  readonly oidcToken: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken: string;
}

/** What came from outside, already cleaned of hop-by-hop and spoofed headers. */
export interface ContractRequest {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** As the client asked for it. */
  readonly host: string;
  readonly proto: 'http' | 'https';
  /** The client's, as trusted proxies tell it. */
  readonly address: string;
  /** `http`: forwarded as it is; `event`: POST /invoke with the payload; `initialize`: once an instance. */
  readonly kind: 'http' | 'event' | 'initialize';
}

/** A start that failed. Times in nanoseconds, as the document has them. */
export interface StartFailure {
  readonly durationNs: bigint;
  /** Text of the last connection that was refused, with its address: `dial tcp 172.20.0.2:9000: …`. */
  readonly dial: string;
  readonly reason: 'timeout' | 'exited' | 'loopback-only' | 'start-failed';
  /** Where it should have listened, as PORT told it; undefined where it never ran. */
  readonly port?: number | undefined;
  /** Where it listened in its place, as far as that can be seen. */
  readonly others?: readonly number[] | undefined;
  readonly exitCode: number | undefined;
  /** The container's last lines; `at` in UTC milliseconds, `nanos` past that. */
  readonly logs: readonly {
    readonly at: number;
    readonly nanos?: number;
    readonly text: string;
  }[];
}

/**
 * How a request and an environment look to the container, and how failures look to the client. Pure: data in,
 * data out.
 */
export interface Contract {
  readonly name: ContractName;
  readonly defaultPort: number;
  readonly defaultConcurrency: number;
  /** Variables beside the project's own; PORT among them. The project's own win, but for PORT. */
  environment(place: ContractPlace, credentials: RoleCredentials): Record<string, string>;
  /** Headers that are set on the request to the container (lower-case names). */
  requestHeaders(
    request: ContractRequest,
    place: ContractPlace,
    credentials: RoleCredentials,
  ): Record<string, string>;
  /** Headers that Gantry adds to the answer to the client. */
  responseHeaders(request: ContractRequest, place: ContractPlace): Record<string, string>;
  startFailure(failure: StartFailure, service: DeployedService): ContractAnswer;
  /** Whether the container's answer says that the function failed. */
  isFunctionError(status: number, headers: Readonly<Record<string, string | undefined>>): boolean;
  /** Lines that bracket a request in the log; empty where the contract has none. */
  logBrackets(requestId: string, phase: 'start' | 'end', durationMs?: number): readonly string[];
}
