import type { Answered } from './ask.ts';
import { type CallerName, callers, personOf, refusalAtPublic, refusalOf } from './callers.ts';
import { type Operation, type Parts, partsOf, requestOf } from './operation.ts';
import { absentLike, essence, type Make, maker, type Row, type Sample } from './row.ts';
import type { Place, World } from './world.ts';

/** One row against a running server; a sentence for each answer that is not as the row says. */
export class RowCheck {
  readonly complaints: string[] = [];
  readonly #world: World;
  readonly #operation: Operation;
  readonly #row: Row;
  readonly #make: Make;

  constructor(world: World, operation: Operation, row: Row) {
    this.#world = world;
    this.#operation = operation;
    this.#row = row;
    this.#make = maker(world);
  }

  async run(): Promise<string[]> {
    const { own, open, sibling } = this.#world;
    const { at, publicParts } = this.#row;
    const { method } = this.#operation;
    if (publicParts) {
      await this.#everybody(own, (caller) => refusalAtPublic(this.#row, caller, method, true));
      // Its other project has nothing public, and is the narrowed token's own.
      await this.#everybody(sibling, (caller) =>
        caller === 'narrowed' ? undefined : refusalOf(this.#row, caller, method),
      );
      return this.complaints;
    }
    await this.#everybody(own, (caller) => refusalOf(this.#row, caller, method));
    if (at === 'repository') {
      const pulls = this.#row.may.includes('read');
      await this.#everybody(open, (caller) => refusalAtPublic(this.#row, caller, method, pulls));
    }
    if (at === 'team' || at === 'project' || at === 'repository') await this.#hidden();
    await this.#elsewhere();
    await this.#bodies();
    return this.complaints;
  }

  async #everybody(
    place: Place,
    expected: (caller: CallerName) => number | undefined,
  ): Promise<void> {
    const shared = await this.#sample(place);
    const { exceptions = {} } = this.#row;
    const outcome = (caller: CallerName) => {
      const status = expected(caller);
      if (status === 403 && personOf(caller) !== caller) return status;
      return (exceptions[caller] ?? exceptions[personOf(caller)])?.[0] ?? status;
    };
    // Who is refused changes nothing, so they share a sample, and come first.
    for (const caller of callers) {
      const status = outcome(caller);
      if (status === undefined) continue;
      const answer = await this.#ask(caller, place, shared);
      if (answer.status !== status) this.#complain(place, caller, `${status}`, answer);
      else if (status >= 400) this.#complainOfForm(place, caller, answer);
      await this.#head(caller, place, shared, answer);
    }
    const reads = this.#operation.method === 'GET';
    for (const caller of callers) {
      if (outcome(caller) !== undefined) continue;
      const sample = reads ? shared : await this.#sample(place);
      const answer = await this.#ask(caller, place, sample);
      const { answers } = this.#row;
      const succeeded = answer.status >= 200 && answer.status < 300;
      if (answers === undefined ? !succeeded : answer.status !== answers) {
        this.#complain(place, caller, `${answers ?? '2xx'}`, answer);
      }
      await this.#head(caller, place, sample, answer);
    }
  }

  /** RFC 9110, 9.3.2: HEAD is GET without the body, and gives nobody more. */
  async #head(
    caller: CallerName,
    place: Place,
    sample: Sample,
    { status }: Answered,
  ): Promise<void> {
    if (this.#operation.method !== 'GET') return;
    const answer = await this.#ask(caller, place, sample, { method: 'HEAD' });
    if (answer.status !== status || answer.body !== '') {
      this.#complain(place, caller, `HEAD ${status} without a body`, answer);
    }
  }

  /** A1, A2, A5: what is there and what is not get a stranger the very same answer. */
  async #hidden(): Promise<void> {
    const { own } = this.#world;
    const sample = await this.#sample(own);
    const parts = partsOf(this.#operation, own, sample);
    const { method } = this.#operation;
    const places = ['team', 'project', 'repository'].filter((name) => name in parts);
    for (const caller of callers) {
      if (refusalOf(this.#row, caller, method) === undefined || this.#row.exceptions?.[caller])
        continue;
      const there = await this.#ask(caller, own, sample);
      const { status } = there;
      if (status !== 401 && status !== 404) continue;
      // Who is of the team may know which projects there are not.
      const strange = caller === 'narrowed' ? places.filter((name) => name !== 'team') : places;
      for (const name of [...strange, ...Object.keys(sample.params ?? {})]) {
        const absent = { ...parts, [name]: absentLike(parts[name]!) };
        const answer = await this.#askParts(caller, absent, sample);
        const what = `the same answer with another {${name}}`;
        this.#compare(caller, what, there, parts, answer, absent);
      }
    }
  }

  /** Ids of another place, below one's own path: not there, as those that nothing has. */
  async #elsewhere(): Promise<void> {
    const { own, sibling, foreign } = this.#world;
    const others = this.#row.at === 'team' ? [foreign] : [foreign, sibling];
    if (!['team', 'project', 'repository'].includes(this.#row.at)) return;
    const sample = await this.#sample(own);
    const made = this.#row.makes ?? [];
    const names = Object.keys(sample.params ?? {}).filter((name) => !made.includes(name));
    if (names.length === 0) return;
    for (const other of others) {
      const strange = await this.#sample(other);
      for (const name of names) {
        const parts = partsOf(this.#operation, own, sample);
        const moved = { ...parts, [name]: strange.params![name]! };
        const absent = { ...parts, [name]: absentLike(strange.params![name]!) };
        const answer = await this.#askParts('owner', moved, sample);
        if (answer.status !== 404) {
          this.#complain(own, 'owner', `404 for {${name}} of ${other.name}`, answer);
        }
        const none = await this.#askParts('owner', absent, sample);
        this.#compare('owner', `{${name}} of ${other.name}`, answer, moved, none, absent);
      }
    }
  }

  async #bodies(): Promise<void> {
    const { bodies } = this.#row;
    if (!bodies) return;
    const { own, foreign } = this.#world;
    const sample = await this.#sample(own);
    for (const body of await bodies(foreign, this.#make)) {
      const answer = await this.#ask('owner', own, { ...sample, body });
      const text = JSON.stringify(body);
      if (answer.status < 400 || answer.status > 422) {
        this.#complain(own, 'owner', `a refusal of the foreign ${text}`, answer);
      }
    }
  }

  async #sample(place: Place): Promise<Sample> {
    return (await this.#row.sample?.(place, this.#make)) ?? {};
  }

  #ask(
    caller: CallerName,
    place: Place,
    sample: Sample,
    more: { method?: string } = {},
  ): Promise<Answered> {
    return this.#askParts(caller, partsOf(this.#operation, place, sample), sample, more);
  }

  async #askParts(
    caller: CallerName,
    parts: Parts,
    sample: Sample,
    more: { method?: string } = {},
  ): Promise<Answered> {
    const { asker, headersOf } = this.#world;
    const asked = requestOf(this.#operation, parts, sample, await headersOf(caller));
    return asker.ask({ ...asked, stream: this.#row.stream, ...more });
  }

  #compare(
    caller: CallerName,
    what: string,
    one: Answered,
    oneParts: Parts,
    other: Answered,
    otherParts: Parts,
  ): void {
    const a = essence(one, Object.values(oneParts));
    const b = essence(other, Object.values(otherParts));
    if (a !== b) this.complaints.push(`${caller}: ${what} differs:\n    ${a}\n    ${b}`);
  }

  /** One error shape, and a challenge with 401. */
  #complainOfForm(place: Place, caller: CallerName, answer: Answered): void {
    let fields = '';
    try {
      fields = Object.keys(JSON.parse(answer.body) as object)
        .sort()
        .join();
    } catch {
      // No JSON at all: no fields.
    }
    if (fields !== 'code,hint,message') {
      this.#complain(place, caller, 'code, message and hint', answer);
    }
    if (answer.status === 401 && answer.headers['www-authenticate'] === undefined) {
      this.#complain(place, caller, 'WWW-Authenticate', answer);
    }
  }

  #complain(place: Place, caller: CallerName, wanted: string, { status, body }: Answered): void {
    const where = this.#row.at === 'repository' ? ` at ${place.name}` : '';
    this.complaints.push(
      `${caller}${where}: wanted ${wanted}, got ${status} ${body.slice(0, 200)}`,
    );
  }
}
