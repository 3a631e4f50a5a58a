import type { ErrorInfo } from '../../src/oci/errors.ts';
import type { CommandName, Commands } from '../../src/ports/commands.ts';
import type { Fence } from '../../src/ports/leases.ts';

/** What the threads of the embedded database say to each other. */
export interface WriteRequest {
  readonly id: number;
  readonly name: CommandName;
  readonly args: Commands[CommandName]['args'];
  readonly fence?: Fence | undefined;
}

export type WriteReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: ErrorInfo };

export type WriterMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly error: ErrorInfo | string }
  | { readonly type: 'replies'; readonly replies: readonly WriteReply[] }
  | { readonly type: 'log'; readonly message: string };
