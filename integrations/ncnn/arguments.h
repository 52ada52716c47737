// What the two programs read: files, and a number.
#pragma once

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <vector>

// A whole file; nothing of one that is not there, or cannot be read to its end (a folder, say).
inline std::vector<char> bytes(const char* path)
{
    std::ifstream file(path, std::ios::binary);
    std::vector<char> result;
    char part[65536];
    while (file.read(part, sizeof(part)) || file.gcount() > 0)
        result.insert(result.end(), part, part + file.gcount());
    return file.bad() ? std::vector<char>() : result;
}

// NaN for what is no number.
inline float number(const char* text)
{
    char* end = nullptr;
    const float value = std::strtof(text, &end);
    return end != text && *end == 0 ? value : NAN;
}
