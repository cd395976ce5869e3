"""The script that adds results to Redis, with their offset and acknowledgements, atomically."""

from __future__ import annotations

__all__ = ["ADD_RESULTS", "OTHER_OWNER"]

OTHER_OWNER = -1
"""Returned if another writer has taken over."""

# Keys: the stream, the hash with the offset, and the stream of the consumer group.
# Arguments: field, maxlen or "", owner or "", offset, writer, number of outputs, group or "",
# consumer, number of ids, the ids, the results.
# All is checked before anything is written, since Redis does not undo what a script has done.
# Returns the ids that are not pending for this consumer, OTHER_OWNER, or the type of a key that is
# no stream.
ADD_RESULTS = """
local ids = tonumber(ARGV[9])
local lost = {}
for i = 10, 9 + ids do
  local pending = redis.call('XPENDING', KEYS[3], ARGV[7], ARGV[i], ARGV[i], 1, ARGV[8])
  if #pending == 0 then lost[#lost + 1] = ARGV[i] end
end
if #lost > 0 then return lost end
if ARGV[3] ~= '' and redis.call('HGET', KEYS[2], 'owner') ~= ARGV[3] then return -1 end
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'stream' and kind ~= 'none' then return kind end
for i = 10 + ids, #ARGV do
  if ARGV[2] == '' then
    redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[i])
  else
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', ARGV[1], ARGV[i])
  end
end
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[2], 'offset', ARGV[4], 'writer', ARGV[5], 'outputs', ARGV[6])
end
for i = 10, 9 + ids do redis.call('XACK', KEYS[3], ARGV[7], ARGV[i]) end
return lost
"""
