// The line above a list: its title, a search field, the node that is asked, and a button that reads it again.

import type { NodeView } from '../http/node-api.ts';

interface ListToolsProps {
  readonly title: string;
  /** Of the search field; an example of what to type. */
  readonly hint: string;
  readonly search: string;
  readonly find: (search: string) => void;
  readonly nodes: readonly NodeView[];
  /** Empty for what `anyNode` says. */
  readonly node: string;
  readonly anyNode: string;
  readonly ask: (node: string) => void;
  readonly reload: () => void;
}

export function ListTools(props: ListToolsProps) {
  return (
    <div class="tools">
      <h2>{props.title}</h2>
      <input
        type="search"
        placeholder={props.hint}
        aria-label={props.hint}
        value={props.search}
        onInput={(event) => props.find(event.currentTarget.value)}
      />
      <select
        aria-label="Node that is asked"
        value={props.node}
        onChange={(event) => props.ask(event.currentTarget.value)}
      >
        <option value="">{props.anyNode}</option>
        {props.nodes.map(({ name }) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      <button type="button" onClick={props.reload}>
        Read again
      </button>
    </div>
  );
}
