// Coroutines of one worker, and the few things they wait for.
//
// Rules (style of this code base): whoever starts a coroutine outlives it; no temporary aggregates
// and no capturing lambdas inside a `co_await` expression (GCC 12 destroys them twice); no
// references across a `co_await` that the caller does not own.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace weir {

namespace net = boost::asio;

using IoExecutor = net::io_context::executor_type;
// A coroutine on a worker's thread.
template <typename T>
using Async = net::awaitable<T, IoExecutor>;

}  // namespace weir
