/** Writes of signing in and of issued tokens. */
// biome-ignore lint/suspicious/noEmptyInterface: commands come
export interface SignInCommands {}
