// Routes about messages: publishing one, and the retained ones.

import { isReservedTopic, isTopicFilter, isTopicName } from '../../mqtt/topic.ts';
import { type RetainedView, retainedSchema, topicSchema } from '../node-api.ts';
import { LIMIT_MAX, pageOf, pageQuery, pageView } from '../page.ts';
import { HttpProblem } from '../problem.ts';
import { route } from '../route.ts';
import { array, flag, integer, object, oneOf, optional, text } from '../schema.ts';
import { mergeTopicPages } from '../topic-merge.ts';
import { pageFields, pageSchema } from './clients.ts';

const TOPIC_BYTES_MAX = 65_535;
const PAYLOAD_CHARACTERS_MAX = 700_000;

const topicPage = object({
  ...pageFields(topicSchema),
  nodes: array(text(), 4096, 'That answered'),
});

const retainedKey = ({ topic }: RetainedView): string => topic;

function checkTopic(topic: string): void {
  const isUsable = isTopicName(topic) && !topic.includes('\0') && isWellFormed(topic);
  if (!isUsable || Buffer.byteLength(topic) > TOPIC_BYTES_MAX)
    throw new HttpProblem(400, 'The topic is not valid: no wildcards, no NUL.');
  if (isReservedTopic(topic)) {
    throw new HttpProblem(400, 'Topics that begin with $ belong to the broker.');
  }
}

/** A lone surrogate has no UTF-8. */
function isWellFormed(topic: string): boolean {
  return Buffer.from(topic).toString() === topic;
}

function checkFilter(filter: string): void {
  if (isTopicFilter(filter)) return;
  throw new HttpProblem(400, "The filter is not valid: as 'home/+/temperature' or 'home/#'.");
}

export const messageRoutes = [
  route({
    method: 'POST',
    path: '/api/v1/publish',
    access: 'change',
    scope: 'node',
    summary: 'publishes a message to all nodes',
    query: { node: pageQuery.node },
    body: object({
      topic: text({ minLength: 1 }),
      payload: optional(text({ maxLength: PAYLOAD_CHARACTERS_MAX, isSecret: true })),
      encoding: optional(oneOf(['text', 'base64'], 'Of the payload')),
      qos: optional(integer(0, 2)),
      retain: optional(flag()),
      expirySeconds: optional(integer(1, 2 ** 32 - 1)),
    }),
    response: object({
      node: text(),
      isMatched: flag('Whether a subscriber of this node got it'),
      isNotRetained: flag('Whether it was to be retained and there was no room'),
    }),
    handler: ({ node, body }) => {
      const { topic, payload = '', encoding = 'text', qos = 0, retain = false } = body;
      checkTopic(topic);
      const bytes = Buffer.from(payload, encoding === 'text' ? 'utf8' : 'base64');
      const { expirySeconds } = body;
      const message = { topic, payload: bytes, qos: qos as 0 | 1 | 2, retain, expirySeconds };
      return { node: node.name, ...node.publish(message) };
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/retained',
    access: 'content',
    scope: 'node',
    summary: 'retained messages by topic; all nodes of a cluster hold the same',
    query: { ...pageQuery, filter: optional(text({ help: 'Topic Filter; # without' })) },
    response: pageSchema(retainedSchema),
    handler: async ({ node, query }) => {
      const { filter = '#' } = query;
      checkFilter(filter);
      return pageView(await node.retained(filter, pageOf(query)), query, retainedKey);
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/topics',
    access: 'content',
    scope: 'merged',
    summary: 'one level of the tree of retained topics, and which nodes hold which values',
    query: {
      ...pageQuery,
      below: optional(text({ help: 'The levels above, with a slash at the end; none without' })),
      name: optional(text({ help: 'Only this name of the level' })),
    },
    response: topicPage,
    handler: async ({ node, query }) => {
      const { below = '', name } = query;
      if (below !== '' && !(below.endsWith('/') && isTopicName(below))) {
        throw new HttpProblem(400, "`below` is not valid: as 'home/kitchen/'.");
      }
      if (name !== undefined && (name.includes('/') || !isTopicName(`${below}${name}`))) {
        throw new HttpProblem(400, '`name` is not one level of a topic.');
      }
      const listed = await node.topics(below, name, pageOf(query));
      return { ...pageView(listed, query, (one) => one.name), nodes: [node.name] };
    },
    merge: (answers, query) => mergeTopicPages(answers, query),
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/retained',
    access: 'change',
    scope: 'node',
    summary: `clears the retained messages that match, on all nodes; ${LIMIT_MAX} at a time`,
    query: { filter: text({ help: 'Topic Filter', minLength: 1 }), node: pageQuery.node },
    response: object({ cleared: integer(0, LIMIT_MAX), left: integer(0, 2 ** 53) }),
    handler: async ({ node, query }) => {
      checkFilter(query.filter);
      const { items, total } = await node.retained(query.filter, { after: '', limit: LIMIT_MAX });
      for (const { topic } of items) {
        node.publish({
          topic,
          payload: Buffer.alloc(0),
          qos: 1,
          retain: true,
          expirySeconds: undefined,
        });
      }
      return { cleared: items.length, left: total - items.length };
    },
  }),
];
