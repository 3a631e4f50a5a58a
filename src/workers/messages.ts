import type { Config } from '../config/config.ts';
import type { CommandName, Commands } from '../ports/commands.ts';
import type { Fence } from '../ports/leases.ts';

/** What a worker is told before anything else. */
export interface Hello {
  readonly config: Config;
  /** From 1. The same for the one that takes a dead one's place. */
  readonly number: number;
  /** Where all of them listen. */
  readonly port: number;
  readonly state: WorkerState;
  /** The socket of the primary for requests that it answers itself. */
  readonly socketPath: string;
}

/** What changes while workers run. */
export interface WorkerState {
  /** False: not begun yet, or about to stop. */
  readonly ready: boolean;
  /** Whether pushes deploy. */
  readonly deploys: boolean;
}

export interface RunArgs {
  readonly name: CommandName;
  readonly args: Commands[CommandName]['args'];
  readonly fence?: Fence | undefined;
}

/** Which limiter: in the order in which they were made, the same in all processes. */
export interface LimitArgs {
  readonly limiter: number;
  readonly key: string;
}

/** What kept a worker from listening, as `explainStart` reads it. */
export interface StartFailure {
  readonly message: string;
  readonly stack?: string | undefined;
  readonly code?: string | undefined;
  readonly address?: string | undefined;
  readonly port?: number | undefined;
}
