/** Writes of what a project holds beside its repositories: secrets, environment, transfer. */
// biome-ignore lint/suspicious/noEmptyInterface: commands come
export interface ProjectCommands {}
