/** What a handler answers. */
export interface Reply {
  readonly status: number;
  /** Undefined: no body. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export const ok = (body: unknown): Reply => ({ status: 200, body });
export const created = (body: unknown, location: string): Reply => ({
  status: 201,
  body,
  headers: { Location: `/api/v1${location}` },
});
export const noContent: Reply = { status: 204 };
