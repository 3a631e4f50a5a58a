import type { FunctionLogLine } from '../../../ports/commands-functions.ts';
import type { ActivationTarget } from '../../activation.ts';

/** A line, and of what. */
export interface SentLine {
  readonly target: ActivationTarget;
  readonly line: FunctionLogLine;
}

/** Where lines of a service go, beside the log that Gantry keeps. Bounded: what is too much is dropped. */
export interface LogSink {
  send(line: SentLine): void;
  /** Sends what waits, for a few seconds at most. Never rejects. */
  close(): Promise<void>;
}

/** A line as JSON Lines have it, in files and by HTTP. */
export function jsonOf({ target, line }: SentLine): string {
  return JSON.stringify({
    id: line.id,
    time: new Date(line.at).toISOString(),
    team: target.teamSlug,
    project: target.projectSlug,
    environment: target.environment,
    deployment: line.deploymentId,
    service: line.service,
    instance: line.instanceId,
    stream: line.stream,
    requests: line.requestIds,
    text: line.text,
  });
}
