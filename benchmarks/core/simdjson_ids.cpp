// Reads NDJSON with simdjson, on the calling thread, and adds up the lengths of the members "id":
// parse_many parses each document completely; iterate_many checks what it does not visit for
// structure only.
#include <cstdint>
#include <string_view>

#include <simdjson.h>

#ifdef SIMDJSON_THREADS_ENABLED
#error "compile without -pthread: parse_many would use a second thread"
#endif

extern "C" const char *
simdjson_version()
{
    return SIMDJSON_STRINGIFY(SIMDJSON_VERSION);
}

template <typename Documents>
static int64_t
add_up_ids(Documents &documents)
{
    int64_t total = 0;
    for (auto document : documents) {
        std::string_view id;
        if (document["id"].get(id))
            return -1;
        total += int64_t(id.size());
    }
    return total;
}

// Both return -1 where a document is not valid. SIMDJSON_PADDING bytes must follow the input.
extern "C" int64_t
dom_ids(const char *input, size_t size)
{
    static simdjson::dom::parser parser;
    simdjson::dom::document_stream documents;
    size_t window = simdjson::dom::DEFAULT_BATCH_SIZE;
    auto error = parser.parse_many(input, size, window).get(documents);
    return error ? -1 : add_up_ids(documents);
}

extern "C" int64_t
on_demand_ids(const char *input, size_t size)
{
    static simdjson::ondemand::parser parser;
    simdjson::ondemand::document_stream documents;
    size_t window = simdjson::ondemand::DEFAULT_BATCH_SIZE;
    auto error = parser.iterate_many(input, size, window).get(documents);
    return error ? -1 : add_up_ids(documents);
}
