/**
 * As much of an engine's API as networks, volumes and watchers need. Rejects with an error that has the
 * engine's `status` where it refuses.
 */
export interface EngineCalls {
  call<Answer = unknown>(request: {
    readonly method: 'GET' | 'POST' | 'DELETE';
    readonly path: string;
    readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
    readonly body?: object;
  }): Promise<Answer>;
}

/** The status of a refusal; undefined: the engine was not reached. */
export function statusOf(error: unknown): number | undefined {
  const { status } = error as { status?: unknown };
  return typeof status === 'number' ? status : undefined;
}
