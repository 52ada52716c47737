// What the two programs read: files, and a number.
#pragma once

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

// A whole file; nothing of one that is not there.
inline std::vector<char> bytes(const char* path)
{
    std::ifstream file(path, std::ios::binary);
    return std::vector<char>(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

// NaN for what is no number.
inline float number(const char* text)
{
    char* end = nullptr;
    const float value = std::strtof(text, &end);
    return end != text && *end == 0 ? value : NAN;
}
