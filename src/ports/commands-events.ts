/** Writes of the relay, of webhooks and of the audit log. */
// biome-ignore lint/suspicious/noEmptyInterface: commands come
export interface EventCommands {}
