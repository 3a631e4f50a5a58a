/** The work is another's now, or nobody's. `cause`: what kept this process from going on, where it failed. */
export class Halted extends Error {}
