// Boost.JSON's own definitions, compiled once.
#include <boost/json/src.hpp>
